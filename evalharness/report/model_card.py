"""A model card for the Hugging Face hub: the pass rates as its ``model-index``, and a section with their intervals.

The form is that of huggingface_hub's ``ModelCard``. What others have written in the card stays: only the results whose
metric is configured as ``evalharness``, and the section between the two marks, are replaced.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.records import Interval
from evalharness.report.card import checkpoint_name
from evalharness.report.numbers import nats_interval, percent_interval
from evalharness.report.shares import verdict_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import EvalResult

    from evalharness.records import Scorecard

OURS = "evalharness"
BEGIN, END = "<!-- evalharness: begin -->", "<!-- evalharness: end -->"
_SECTION = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
DATASETS = {
    "humaneval": ("openai/openai_humaneval", "HumanEval"),
    "humaneval+": ("evalplus/humanevalplus", "HumanEval+"),
    "mbpp": ("google-research-datasets/mbpp", "MBPP"),
    "mbpp+": ("evalplus/mbppplus", "MBPP+"),
}
"""The hub's own names of problem sets: that of the data set, and one to read. Others keep the name that they have."""


def model_card(existing: str, card: Scorecard, name: str | None = None) -> str:
    """The text of a model card with the figures of a scorecard, from what it was before (``""`` for a new one).

    ``name`` is the model's; without one, what the card says stays, or else it is the checkpoint's own. Raises
    ValueError for a metadata block that is no mapping.
    """
    from huggingface_hub import ModelCard  # noqa: PLC0415 - it imports an HTTP client

    written = ModelCard(existing if existing.lstrip().startswith("---") else f"---\n{{}}\n---\n{existing}")
    others = [result for result in written.data.eval_results or () if result.metric_config != OURS]
    written.data.model_name = name or written.data.model_name or checkpoint_name(card.checkpoint)
    written.data.eval_results = [*others, *_results(card)]
    section = f"{BEGIN}\n{_section(card)}\n{END}"
    if _SECTION.search(written.text):
        written.text = _SECTION.sub(lambda _: section, written.text, count=1)
    else:
        written.text = f"{written.text.rstrip()}\n\n{section}\n".lstrip("\n")
    return str(written)


def _results(card: Scorecard) -> Iterator[EvalResult]:
    """One for each pass@k, as a share of 1."""
    from huggingface_hub import EvalResult  # noqa: PLC0415

    for problems, by_decoding in card.pass_at_k.items():
        dataset, readable = DATASETS.get(problems, (problems, problems))
        for decoding, by_k in by_decoding.items():
            for k, share in by_k.items():
                yield EvalResult(
                    task_type="text-generation",
                    dataset_type=dataset,
                    dataset_name=readable,
                    metric_type="pass@k",
                    metric_name=f"pass@{k} ({decoding})",
                    metric_value=round(share.estimate, 4),
                    metric_args={
                        "k": int(k),
                        "decoding": decoding,
                        "ci95": [round(share.low, 4), round(share.high, 4)],
                    },
                    metric_config=OURS,
                )


def _rounded(share: Interval) -> list[float]:
    return [round(share.low, 4), round(share.high, 4)]


def _section(card: Scorecard) -> str:
    lines = ["## Evaluation", "", f"Scored with evalharness: **{verdict_cell(card)}**, {card.verdict_reason}.", ""]
    lines += [
        "| problems | decoding | measure | value, with its 95 % confidence interval |",
        "| --- | --- | --- | --- |",
    ]
    for problems, by_decoding in card.pass_at_k.items():
        readable = DATASETS.get(problems, ("", problems))[1]
        for decoding, by_k in by_decoding.items():
            lines += [f"| {readable} | {decoding} | pass@{k} | {percent_interval(s)} |" for k, s in by_k.items()]
    for decoding, rate in card.degeneration.items():
        share = percent_interval(Interval(rate.rate, rate.low, rate.high))
        lines.append(f"| all | {decoding} | degenerate completions | {share} |")
    if card.loss.honest_nats is not None:
        lines += [f"| validation rows | | loss without future tokens | {nats_interval(card.loss.honest_nats)} nats |"]
    if card.cause is not None:
        lines += ["", f"What is wrong: {card.cause.claim} What to do: {card.cause.remedy}"]
    return "\n".join(lines)
