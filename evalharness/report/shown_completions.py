"""The completions that a report shows: chosen, cut to a readable length, with what can't be seen made visible."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.report.chosen_completions import choose, worst
from evalharness.report.loop_rows import BLANK, LINE_END, marked, marked_loop
from evalharness.report.numbers import nats
from evalharness.report.parts import Code, PassageRow
from evalharness.report.printable import shortened
from evalharness.report.shares import KIND_LABELS
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalharness.degeneration import Degeneration
    from evalharness.records import Completion
    from evalharness.report.evidence import Scored

MAX_CHARACTERS = 800
MAX_LINES = 30
MAX_LINE = 120
MAX_SIGNS = 40
MAX_DETAIL = 160
TOKENS_SHOWN = 12
LINE_ENDS_IN_A_ROW = 4
"""From this many line ends in a row on they are shown as signs, because on a page they would be an empty space."""
_LINE_ENDS = re.compile(r"\n{%d,}" % LINE_ENDS_IN_A_ROW)  # noqa: UP031 - braces of its own

Fact = str | Code


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text as it is shown, what was left out of it or changed, and its rows if a loop is marked in it."""

    text: str
    language: str = "python"
    note: str = ""
    rows: tuple[PassageRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One completion as it is shown; a line of ``examples.jsonl``.

    ``why`` it was chosen, may be empty; ``kind`` of its degeneration, None if it is sound. ``facts`` is one line.
    """

    task_id: str
    decoding: str
    completion_id: int
    why: str
    kind: str | None
    prompt: Excerpt
    expected: Excerpt
    generated: Excerpt
    tokens: str
    facts: tuple[Fact, ...]

    @property
    def name(self) -> tuple[Fact, ...]:
        """Its problem and its number: greedy decoding has one completion a problem."""
        return Code(self.task_id), f", {self.decoding}{'' if self.decoding == 'greedy' else f' {self.completion_id}'}"

    @property
    def heading(self) -> tuple[Fact, ...]:
        """Its name, why it is shown, and what is wrong with it."""
        kind = None if self.kind is None else KIND_LABELS.get(self.kind, self.kind)
        reasons = ", ".join(filter(None, (self.why, kind)))
        return (*self.name, f": {reasons}" if reasons else "")


@dataclass(frozen=True, slots=True)
class ShownCompletions:
    """The worst completions of all, and some of each problem set.

    ``by_set`` leaves out what is among the worst; ``above`` says which those are.
    """

    worst: list[Example]
    by_set: dict[str, list[Example]]
    above: dict[str, list[Example]]


def shown_completions(scored: Mapping[str, Sequence[Scored]], token_text: Callable[[int], str]) -> ShownCompletions:
    """Choose by :func:`worst` over everything and by :func:`choose` in each problem set."""
    among_worst = worst(scored)
    chosen = {name: choose(members) for name, members in scored.items()}
    return ShownCompletions(
        worst=[example_of("", s, token_text) for s in among_worst],
        by_set={
            name: [example_of(why, s, token_text) for why, s in of_set if s not in among_worst]
            for name, of_set in chosen.items()
        },
        above={
            name: [example_of(why, s, token_text) for why, s in of_set if s in among_worst]
            for name, of_set in chosen.items()
        },
    )


def examples(scored: Mapping[str, Sequence[Scored]], token_text: Callable[[int], str]) -> list[Example]:
    """Return the two worst completions and the first that passes: what the report of a run shows of a step."""
    everything = [item for members in scored.values() for item in members]
    passing = [(why, item) for why, item in choose(everything) if why == "passes"]
    return [example_of(why, item, token_text) for why, item in [*(("", item) for item in worst(scored)[:2]), *passing]]


def example_of(why: str, scored: Scored, token_text: Callable[[int], str]) -> Example:
    """Return one completion as it is shown."""
    completion = scored.completion
    return Example(
        task_id=scored.problem.task_id,
        decoding=completion.decoding,
        completion_id=completion.completion_id,
        why=why,
        kind=scored.analysis.kind,
        prompt=excerpt(scored.problem.prompt),
        expected=excerpt(scored.problem.canonical_solution),
        generated=generated_excerpt(scored),
        tokens=token_lines(scored, token_text),
        facts=tuple(_facts(scored)),
    )


def excerpt(text: str, language: str = "python") -> Excerpt:
    """Return ``text`` as it is shown: line ends as signs if there is nothing else to see, and not too much of it."""
    blank = bool(text) and not text.strip()
    signed = marked(text) if blank else _LINE_ENDS.sub(_marked_run, text)
    notes = [] if text else ["empty"]
    notes += [f"{LINE_END} is a line end"] if LINE_END in signed and signed != text else []
    cut, left_out = _cut(signed, MAX_SIGNS if blank else MAX_LINE)
    if left_out:
        notes.append(f"{left_out:,} characters are left out")
    return Excerpt(cut, "text" if blank or not text else language, "; ".join(notes))


def generated_excerpt(scored: Scored) -> Excerpt:
    """Return what the model wrote as it is shown, with its loop marked if it has one."""
    text, loop = scored.completion.text, scored.analysis.loop
    if loop is None:
        return excerpt(text)
    rows = marked_loop(text, loop, scored.analysis).rows
    has_blanks = any(BLANK in row.text for row in rows) and BLANK not in text
    note = f"{LINE_END} is a line end; a row without it continues on the next{f'; {BLANK} is a space' * has_blanks}"
    return Excerpt("", "text", note, rows)


def token_lines(scored: Scored, token_text: Callable[[int], str]) -> str:
    """Return the ids and the texts of the first looping tokens on two lines.

    Of a degenerate completion without a loop, such as a few newlines, they are its first tokens. Nothing of others.
    """
    ids = scored.completion.token_ids or ()
    begin, end = scored.analysis.loop_tokens or (0, len(ids) if scored.analysis.degenerate else 0)
    first = ids[begin : min(end, begin + TOKENS_SHOWN)]
    if not first:
        return ""
    more = ", …" if end > begin + TOKENS_SHOWN else ""
    texts = [repr(token_text(i)) for i in first]
    return f"Token IDs from position {begin}: {', '.join(map(str, first))}{more}\nToken texts: {', '.join(texts)}{more}"


def _facts(scored: Scored) -> Iterator[Fact]:
    completion, execution = scored.completion, scored.execution
    yield f"{_tokens(completion)}, {counted(len(completion.text), 'character')}; "
    if completion.stop_reason == "not_recorded":
        yield "why it ended is not recorded"
    else:
        yield from ("stopped by ", Code(completion.stop_reason))
    yield "; "
    for fact in _loop_facts(scored.analysis):
        yield f"{fact}; "
    yield from ("verdict ", Code(execution.verdict.value))
    if execution.detail.strip():
        yield from (" (", Code(shortened(" ".join(execution.detail.split()), MAX_DETAIL)), ")")


def _tokens(completion: Completion) -> str:
    ids = completion.token_ids
    return "tokens not recorded" if ids is None else counted(len(ids), "token")


def _loop_facts(analysis: Degeneration) -> Iterator[str]:
    """What makes it degenerate, whether that comes after an answer, and how sure the model was meanwhile."""
    yield analysis.evidence
    if analysis.after_answer is not None:
        yield "after a finished answer" if analysis.after_answer else "not after a finished answer"
    predictions = analysis.measures.predictions
    if predictions is not None and predictions.in_loop_nats is not None:
        before = predictions.before_loop_nats
        earlier = "" if before is None else f"{nats(before)} nats before the loop and "
        yield f"mean predictive entropy {earlier}{nats(predictions.in_loop_nats)} nats in the loop"


def _cut(text: str, line_length: int) -> tuple[str, int]:
    """Cut the text and its lines, each with an ellipsis if it was cut, and count the characters left out."""
    whole = text.removesuffix("\n")
    lines = whole[:MAX_CHARACTERS].split("\n")[:MAX_LINES]
    left_out = len(whole) - len("\n".join(line[:line_length] for line in lines))
    return "\n".join(shortened(line, line_length + 1) if len(line) > line_length else line for line in lines), left_out


def _marked_run(match: re.Match[str]) -> str:
    count = len(match.group())
    signs = LINE_END * min(count, MAX_SIGNS)
    return f"{signs}\n" if count <= MAX_SIGNS else f"{signs}… {count:,} in all\n"
