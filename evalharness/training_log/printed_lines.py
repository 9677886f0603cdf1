"""The lines of a log as a person reads them on a terminal: without colours, and with decimal points."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from evalharness.training_log.columns import LOSSES
from evalharness.training_log.objects_over_lines import begins_object, whole_objects
from evalharness.training_log.open_log import DECIMAL_COMMAS, lines_in
from evalharness.training_log.ranks import blocks_of_one_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.training_log.open_log import OpenLog

LOSS_NAMES = r"\w*(?:loss|nll|xent|bpb)|(?:train|val|valid|eval)\w*"
FIGURE = r"\W{1,4}(\d[\d.,]*)"
LOSS_FIGURE = re.compile(rf"\b(?:{LOSS_NAMES}){FIGURE}")
"""A figure with the name of a loss, in lower case. No perplexity: it may be of thousands, and has commas then."""
WITH_COMMA = re.compile(r"(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
WITH_POINT = re.compile(r"\d*\.\d+|\d{1,3}(?:,\d{3})+\.\d+")
OTHERS_NUMBER = re.compile(r"(?<![\w.,])(?:(\d{1,3}(?:\.\d{3})+)(?:,(\d+))?|(\d+),(\d+))(?![.,]?\w)")
"""A number with points between its thousands or a decimal comma: ``20.000``, ``1.234,5``, ``4,5418``."""


def printed_lines(log: OpenLog) -> Iterator[tuple[int, str]]:
    r"""Every line with its number. What a progress bar overwrote with ``\r`` is a line of the same number."""
    for at, block in printed_blocks(log):
        yield from enumerate(lines_in(block), at)


def printed_blocks(log: OpenLog) -> Iterator[tuple[int, str]]:
    """The same lines, many at a time with the number of the first, as long as each is what the log has there."""
    commas = have_decimal_commas(map(str.lower, log.head()), _loss_figure(log))
    if commas:
        log.note(DECIMAL_COMMAS)
    at, blocks = 1, blocks_of_one_process(log)
    for block in blocks:
        if commas or "\r" in block or begins_object(block):
            lines = itertools.chain.from_iterable(map(lines_in, itertools.chain([block], blocks)))
            yield from _one_by_one(enumerate(lines, at), commas=commas)
        else:
            yield at, block
            at += block.count("\n")


def _one_by_one(lines: Iterator[tuple[int, str]], *, commas: bool) -> Iterator[tuple[int, str]]:
    for at, line in lines:
        if begins_object(line):
            yield from _texts(whole_objects(at, line, lines), commas=commas)
        elif commas or "\r" in line:
            yield from _texts([(at, line)], commas=commas)
        else:
            yield at, line


def _texts(lines: Iterable[tuple[int, str]], *, commas: bool) -> Iterator[tuple[int, str]]:
    for at, line in lines:
        text = OTHERS_NUMBER.sub(_with_point, line) if commas else line
        if "\r" in text:
            yield from ((at, piece) for piece in _overwritten(text))
        else:
            yield at, text


def with_points(lines: Sequence[str]) -> Iterator[str]:
    """The first lines of a log, with decimal points."""
    commas = have_decimal_commas(map(str.lower, lines))
    yield from (OTHERS_NUMBER.sub(_with_point, line) if commas else line for line in lines)


def _loss_figure(log: OpenLog) -> re.Pattern[str]:
    """What a loss looks like, in lower case, also under the names that the user gave."""
    told = [re.escape(name.lower()) for role, name in log.keys.named() if role in LOSSES]
    return re.compile(rf"(?<!\w)(?:{'|'.join([*told, LOSS_NAMES])}){FIGURE}") if told else LOSS_FIGURE


def have_decimal_commas(lines: Iterable[str], loss: re.Pattern[str] = LOSS_FIGURE) -> bool:
    """Whether the losses in some lines are written as ``4,5418``. A decimal point in one says that they are not."""
    figures = [text.rstrip(".,") for line in lines for text in loss.findall(line)]
    return any(map(WITH_COMMA.fullmatch, figures)) and not any(map(WITH_POINT.fullmatch, figures))


def _with_point(match: re.Match[str]) -> str:
    grouped, decimals, whole, fraction = match.groups()
    digits = grouped.replace(".", "") if grouped else whole
    after = decimals if grouped else fraction
    return f"{digits}.{after}" if after else digits


def _overwritten(line: str) -> Iterator[str]:
    """The texts that stood in one line of the terminal, one after another. The last may have no end."""
    *before, last = line.split("\r")
    yield from (f"{text}\n" for text in before if text.strip())
    if last.strip():
        yield last
