"""Text that the loader of training changed before the tokenizer: line breaks, indentation or spaces that it lost."""

from __future__ import annotations

import re
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import no_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.diagnosis.subject import Split, Subject

    Form = Callable[[str], str]

TEXTS = 64
"""Texts that show whether a form changes any."""
_BREAKS, _SPACES = re.compile(r"\r\n|\r|\n"), re.compile(r"[ \t]{2,}")


def _without_indentation(text: str) -> str:
    return re.sub(r"^[ \t]+", "", text, flags=re.MULTILINE)


FORMS: Sequence[tuple[str, Form]] = (
    ("without its line breaks", partial(_BREAKS.sub, "")),
    ("with a space for each line break", partial(_BREAKS.sub, " ")),
    ("with a single space for all white space", lambda text: " ".join(text.split())),
    ("with several spaces made one", partial(_SPACES.sub, " ")),
    ("without its indentation", _without_indentation),
    ("without white space at both ends", str.strip),
    ("without white space at its end", str.rstrip),
    ("with tabs for four spaces", lambda text: text.replace("    ", "\t")),
    ("with four spaces for tabs", lambda text: text.replace("\t", "    ")),
    ("with \\n for \\r\\n", lambda text: text.replace("\r\n", "\n")),
    ("with \\r\\n for \\n", partial(_BREAKS.sub, "\r\n")),
    ("in lower case", str.lower),
)
"""What loaders do to text, by accident or to make it clean."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Every form that changes some text, of rows that were read as text: rows of ids have the tokens of training."""
    split = subject.validation
    if split is None or split.file is None:
        return
    texts = _texts(split)
    for words, form in FORMS:
        changed = [form(text) for text in texts]
        if changed != texts and any(changed):
            yield _in_form(subject, words, form)


def _texts(split: Split) -> list[str]:
    return [text for row in evenly(split.rows, TEXTS) for text in (row.prompt, row.completion)]


def _in_form(subject: Subject, words: str, form: Form) -> Repair:
    encode = subject.tokenizer.encode

    def null(seed: int) -> Repair:
        return _repair("with as much left out at random", lambda text: encode(_shortened(text, form(text), seed)))

    return _repair(words, lambda text: encode(form(text)), null)


def _repair(words: str, encode: Callable[[str], list[int]], null: Callable[[int], Repair] | None = None) -> Repair:
    return Repair(
        kind="text_form",
        words=f"the text {words}",
        place="the loader of the training data",
        remedy=(
            f"Let the loader give the tokenizer the text as it stands in the file, and train again: the model was "
            f"trained on the text {words}, which is not what it is asked for."
        ),
        all_or_nothing=True,
        change=no_change,
        encode=encode,
        null=null,
    )


def _shortened(text: str, changed: str, seed: int) -> str:
    """The text without as many characters as the change takes from it, drawn at random."""
    left_out = max(0, len(text) - len(changed))
    rng = Random(f"{seed} {text}")  # noqa: S311 - no secret
    gone = set(rng.sample(range(len(text)), left_out))
    return "".join(character for place, character in enumerate(text) if place not in gone)
