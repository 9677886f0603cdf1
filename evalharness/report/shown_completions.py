"""What the model did: how each completion that a report shows is laid out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.report.chosen_completions import choose, worst
from evalharness.report.loop_rows import BLANK, LINE_END, marked_loop
from evalharness.report.numbers import counted, nats
from evalharness.report.writers.escaping import code, fenced, prose, shortened

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
RUN_OFLINE_ENDS = 4
"""From this many line ends in a row on they are shown as signs, for on a page they would be an empty space."""
_RUNS_OFLINE_ENDS = re.compile(r"\n{%d,}" % RUN_OFLINE_ENDS)  # noqa: UP031 - braces of its own


@dataclass(frozen=True, slots=True)
class Block:
    """A text in a fenced block, with a note (Markdown, or empty) of what was left out of it or changed."""

    fenced: str
    note: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One problem with what the model wrote for it, ready for the page. ``degenerate``: whether that is degenerate."""

    heading: str
    degenerate: bool
    prompt: Block
    expected: Block
    generated: Block
    tokens: str
    facts: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a report shows of the completions: the worst of all, and some of each problem set.

    ``by_set`` leaves out what is among the worst; ``above`` says which those are, as Markdown.
    """

    worst: list[Shown]
    by_set: dict[str, list[Shown]]
    above: dict[str, list[str]]


def behaviour(scored: Mapping[str, Sequence[Scored]], token_text: Callable[[int], str]) -> Behaviour:
    """Lay out the completions that are chosen by :func:`worst` and, of each problem set, by :func:`choose`."""
    among_worst = worst(scored)
    chosen = {name: choose(members) for name, members in scored.items()}
    return Behaviour(
        worst=[_lay_out("", s, token_text) for s in among_worst],
        by_set={
            name: [_lay_out(why, s, token_text) for why, s in of_set if s not in among_worst]
            for name, of_set in chosen.items()
        },
        above={
            name: [f"{_name(s)} ({why})" for why, s in of_set if s in among_worst] for name, of_set in chosen.items()
        },
    )


def examples(scored: Mapping[str, Sequence[Scored]], token_text: Callable[[int], str]) -> list[Shown]:
    """Lay out the two worst completions and the first that passes: what the report of a whole run shows of a step."""
    everything = [item for members in scored.values() for item in members]
    passing = [(why, item) for why, item in choose(everything) if why == "passes"]
    return [_lay_out(why, item, token_text) for why, item in [*(("", item) for item in worst(scored)[:2]), *passing]]


def text_block(text: str, language: str = "python") -> Block:
    """Return ``text`` as a block; line ends are shown where there is nothing else to see, and what is long is cut."""
    blank = bool(text) and not text.strip()
    marked = _marked(text) if blank else _RUNS_OFLINE_ENDS.sub(_marked_run, text)
    notes = [] if text else ["nothing"]
    notes += [f"{LINE_END} is a line end"] if LINE_END in marked and marked != text else []
    cut, left_out = _cut(marked, MAX_SIGNS if blank else MAX_LINE)
    if left_out:
        notes.append(f"{left_out:,} characters are left out")
    return Block(fenced(cut, "text" if blank or not text else language), f"*{'; '.join(notes)}*" if notes else "")


def generated_block(scored: Scored) -> Block:
    """Return what the model wrote as a block, with its loop marked where it has one."""
    text, loop = scored.completion.text, scored.analysis.loop
    if loop is None:
        return text_block(text)
    marked = marked_loop(text, loop, scored.analysis)
    blank = f"; {BLANK} is a blank" if BLANK in marked and BLANK not in text else ""
    return Block(fenced(marked), f"*{LINE_END} is a line end, and a row without it goes on in the next{blank}*")


def token_lines(scored: Scored, token_text: Callable[[int], str]) -> str:
    """Return a block with the ids and the texts of the looping tokens, or nothing where no tokens loop."""
    ids = scored.completion.token_ids or ()
    begin, end = scored.analysis.loop_tokens or (0, 0)
    first = ids[begin : min(end, begin + TOKENS_SHOWN)]
    if not first:
        return ""
    more = ", …" if end > begin + TOKENS_SHOWN else ""
    texts = [repr(token_text(i)) for i in first]
    return fenced(
        f"Token IDs from position {begin} on: {', '.join(map(str, first))}{more}\nToken texts: {', '.join(texts)}{more}"
    )


def _lay_out(why: str, scored: Scored, token_text: Callable[[int], str]) -> Shown:
    completion, execution = scored.completion, scored.execution
    kind = prose(scored.analysis.kind or "")
    return Shown(
        heading=f"{_name(scored)}: {', '.join(part for part in (why, kind) if part)}",
        degenerate=scored.analysis.degenerate,
        prompt=text_block(scored.problem.prompt),
        expected=text_block(scored.problem.canonical_solution),
        generated=generated_block(scored),
        tokens=token_lines(scored, token_text),
        facts="; ".join(
            [
                f"{_tokens(completion)}, {counted(len(completion.text), 'character')}",
                _stopped(completion),
                *_loop_facts(scored.analysis),
                f"verdict {code(execution.verdict)}{_detail(execution.detail)}",
            ]
        ),
    )


def _tokens(completion: Completion) -> str:
    ids = completion.token_ids
    return "tokens not recorded" if ids is None else counted(len(ids), "token")


def _stopped(completion: Completion) -> str:
    if completion.stop_reason == "not_recorded":
        return "why it ended is not recorded"
    return f"stopped by {code(completion.stop_reason)}"


def _name(scored: Scored) -> str:
    completion = scored.completion
    number = "" if completion.decoding == "greedy" else f" {completion.completion_id}"
    return f"{code(scored.problem.task_id)}, {completion.decoding}{number}"


def _loop_facts(analysis: Degeneration) -> Iterator[str]:
    """What makes it degenerate, whether that comes after an answer, and what the model was sure of meanwhile."""
    yield prose(analysis.evidence)
    if analysis.after_answer is not None:
        yield "after a finished answer" if analysis.after_answer else "not after a finished answer"
    predictions = analysis.measures.predictions
    if predictions is not None and predictions.in_loop_nats is not None:
        before = predictions.before_loop_nats
        earlier = "" if before is None else f"{nats(before)} nats before the loop and "
        yield f"mean predictive entropy {earlier}{nats(predictions.in_loop_nats)} nats in it"


def _detail(detail: str) -> str:
    return f" ({code(shortened(' '.join(detail.split()), MAX_DETAIL))})" if detail.strip() else ""


def _cut(text: str, line_length: int) -> tuple[str, int]:
    """Cut the text and its lines, each with an ellipsis where it was cut, and count the characters left out."""
    whole = text.removesuffix("\n")
    lines = whole[:MAX_CHARACTERS].split("\n")[:MAX_LINES]
    left_out = len(whole) - len("\n".join(line[:line_length] for line in lines))
    return "\n".join(shortened(line, line_length + 1) if len(line) > line_length else line for line in lines), left_out


def _marked(text: str) -> str:
    return text.replace("\n", LINE_END).replace("\t", "\\t").replace(" ", BLANK)


def _marked_run(match: re.Match[str]) -> str:
    count = len(match.group())
    signs = LINE_END * min(count, MAX_SIGNS)
    return f"{signs}\n" if count <= MAX_SIGNS else f"{signs}… {count:,} in all\n"
