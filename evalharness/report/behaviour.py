"""What the model did: which completions a report shows, and how each is laid out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import NOT_BEGUN, Verdict
from evalharness.report.escaping import code, fenced, prose, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalharness.report.evidence import Scored

PROBLEMS_SHOWN = 3
MAX_CHARACTERS = 800
MAX_LINES = 30
MAX_LINE = 120
MAX_SIGNS = 40
MAX_DETAIL = 160
TOKENS_SHOWN = 12
RUN_OF_LINE_ENDS = 4
"""From this many line ends in a row on they are shown as signs, for on a page they would be an empty space."""
_LINE_END = "⏎"
_RUNS_OF_LINE_ENDS = re.compile(r"\n{%d,}" % RUN_OF_LINE_ENDS)  # noqa: UP031 - braces of its own


@dataclass(frozen=True, slots=True)
class Block:
    """A text in a fenced block, with a note (Markdown, or empty) of what was left out of it or changed."""

    fenced: str
    note: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One problem with what the model wrote for it, ready for the page."""

    heading: str
    prompt: Block
    expected: Block
    generated: Block
    tokens: str
    facts: str


def shown_completions(scored: Sequence[Scored], token_text: Callable[[int], str]) -> list[Shown]:
    """Lay out the completions of one problem set that are chosen by :func:`choose`."""
    return [_lay_out(why, chosen, token_text) for why, chosen in choose(scored)]


def choose(scored: Iterable[Scored]) -> list[tuple[str, Scored]]:
    """Choose at most three completions of different problems, and say why each.

    The longest loop; the longest of another kind; the first that passed; a failure without a loop. What is missing is
    made up for by further ones. The choice does not depend on the order of ``scored``.
    """
    ordered = sorted((s for s in scored if s.completion.stop_reason not in NOT_BEGUN), key=_order)
    bad = sorted((s for s in ordered if s.analysis.degenerate), key=lambda s: -s.looping_tokens)
    passed = [s for s in ordered if s.execution.verdict is Verdict.PASSED]
    failed = [s for s in ordered if s.execution.verdict is not Verdict.PASSED and not s.analysis.degenerate]
    worst = bad[:1]
    other_kind = [s for s in bad if s.analysis.kind != worst[0].analysis.kind] if worst else []
    wishes = [
        ("the longest loop" if worst and worst[0].analysis.loop else "nothing written", worst),
        ("another kind of degeneration", other_kind),
        ("passes", passed),
        ("fails without a loop", failed),
        *(2 * [("degenerates too", bad), ("passes too", passed), ("fails too", failed)]),
    ]
    chosen: list[tuple[str, Scored]] = []
    for why, candidates in wishes:
        taken = {c.problem.task_id for _, c in chosen}
        fitting = next((c for c in candidates if c.problem.task_id not in taken), None)
        if fitting is not None and len(chosen) < PROBLEMS_SHOWN:
            chosen.append((why, fitting))
    return chosen


def text_block(text: str, language: str = "python") -> Block:
    """Return ``text`` as a block; line ends are shown where there is nothing else to see, and what is long is cut."""
    blank = bool(text) and not text.strip()
    marked = _marked(text) if blank else _RUNS_OF_LINE_ENDS.sub(_marked_run, text)
    notes = [] if text else ["nothing"]
    notes += [f"{_LINE_END} is a line end"] if _LINE_END in marked and marked != text else []
    cut, left_out = _cut(marked, MAX_SIGNS if blank else MAX_LINE)
    if left_out:
        notes.append(f"{left_out:,} characters are left out")
    return Block(fenced(cut, "text" if blank or not text else language), f"*{'; '.join(notes)}*" if notes else "")


def token_lines(scored: Scored, token_text: Callable[[int], str]) -> str:
    """Return a block with the ids and the texts of the looping tokens, or nothing where no tokens loop."""
    loop, ids = scored.analysis.loop, scored.completion.token_ids
    if loop is None or not ids:
        return ""
    begin = scored.onset_token or 0
    first = ids[begin : begin + TOKENS_SHOWN]
    more = ", …" if len(ids) > begin + TOKENS_SHOWN else ""
    texts = [repr(token_text(i)) for i in first]
    return fenced(
        f"Token IDs from position {begin} on: {', '.join(map(str, first))}{more}\nToken texts: {', '.join(texts)}{more}"
    )


def _lay_out(why: str, scored: Scored, token_text: Callable[[int], str]) -> Shown:
    completion, execution = scored.completion, scored.execution
    number = "" if completion.decoding == "greedy" else f" {completion.completion_id}"
    kind = f", {scored.analysis.kind}" if scored.analysis.kind else ""
    return Shown(
        heading=f"{code(scored.problem.task_id)}: {why}{kind} ({completion.decoding}{number})",
        prompt=text_block(scored.problem.prompt),
        expected=text_block(scored.problem.canonical_solution),
        generated=text_block(completion.text),
        tokens=token_lines(scored, token_text),
        facts="; ".join(
            [
                f"{len(completion.token_ids):,} tokens, {len(completion.text):,} characters",
                f"stopped by {code(completion.stop_reason)}",
                prose(scored.analysis.evidence),
                f"verdict {code(execution.verdict)}{_detail(execution.detail)}",
            ]
        ),
    )


def _detail(detail: str) -> str:
    return f" ({code(shortened(' '.join(detail.split()), MAX_DETAIL))})" if detail.strip() else ""


def _cut(text: str, line_length: int) -> tuple[str, int]:
    """Cut the text and its lines, each with an ellipsis where it was cut, and count the characters left out."""
    whole = text.removesuffix("\n")
    lines = whole[:MAX_CHARACTERS].split("\n")[:MAX_LINES]
    left_out = len(whole) - len("\n".join(line[:line_length] for line in lines))
    return "\n".join(shortened(line, line_length + 1) if len(line) > line_length else line for line in lines), left_out


def _marked(text: str) -> str:
    return text.replace("\n", _LINE_END).replace("\t", "\\t").replace(" ", "·")


def _marked_run(match: re.Match[str]) -> str:
    count = len(match.group())
    signs = _LINE_END * min(count, MAX_SIGNS)
    return f"{signs}\n" if count <= MAX_SIGNS else f"{signs}… {count:,} in all\n"


def _order(scored: Scored) -> tuple[list[tuple[int, str]], str, int]:
    """Problems as people number them, greedy before sampled."""
    parts = re.split(r"(\d+)", scored.problem.task_id)
    numbered = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return numbered, scored.completion.decoding, scored.completion.completion_id
