"""The rows that a model was trained or validated on, as text and as ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.conversations import answers, by_role_and_line, turns_of
from evalharness.diagnosis.data.data_files import each_record, is_plain_text, read_records
from evalharness.diagnosis.data.instructions import instruction_prompt, instruction_turns, is_instruction
from evalharness.diagnosis.data.spread import evenly
from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from evalharness.diagnosis.data.conversations import Render, Turn
    from evalharness.models.protocols import Tokenizer

    Say = Callable[[str], None]

MEASURED_ROWS = 64
"""Rows of each split that losses are measured on: enough for an interval, and a bounded number of forwards."""
MEASURED_IDS = 24_576
"""All rows of a split are measured where they hold no more ids than this together: a minute's work for a model of
0.1 B parameters on two cores, and no sampling error is left."""

COMPLETION_KEYS = ("completion", "solution", "response", "output")
TEXT_KEYS = ("text", "content")
CONVERSATION_KEYS = ("messages", "conversations", "conversation")
PREFERRED_KEY, OTHER_KEY = "chosen", "rejected"
"""Pairs of answers, as trainers of preferences take them: the model is to write the first."""


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row of training or validation data. ``prompt`` is empty where a row is one text.

    ``rendered``: a chat template wrote it, with whatever begin token there is. ``running``: it is a stretch of a longer
    text, which training sees in pieces of the context's length and not as one row that is cut.
    """

    prompt: str
    completion: str
    rendered: bool = False
    running: bool = False


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One row as ids, the prompt and the completion encoded apart, cut to the context.

    Targets before ``first_target`` don't count. The first ``prompt_tokens`` ids are the prompt's (begin tokens among
    them), ``row`` is the index of the text, and ``tokens`` how many ids it has uncut.
    """

    ids: tuple[int, ...]
    first_target: int
    prompt_tokens: int = 0
    row: int = 0
    tokens: int = 0

    @property
    def was_cut(self) -> bool:
        """Whether the context was too short for the whole row."""
        return self.tokens > len(self.ids)

    @property
    def exceeds_context(self) -> bool:
        """Whether training can't see all of it: the last token is only a target, and needs no place in the context."""
        return self.tokens > len(self.ids) + 1


def read_rows(
    path: Path,
    prompt_key: str | None = None,
    completion_key: str | None = None,
    *,
    render: Render | None = None,
    say: Say = lambda _: None,
) -> list[DataRow]:
    """Read rows of ``prompt`` and ``completion`` (or ``solution``, …), of ``text``, or of chat ``messages``.

    From JSONL, a JSON list, parquet or plain text; keys can be named. Each turn of an assistant is a completion of its
    own, after all that was said before it, rendered by ``render`` (a chat template), or without one role by line. Rows
    of ``instruction`` and ``output`` are rendered by ``render`` too, or without one in Alpaca's form.
    ``say`` is told of everything that was chosen or left out. Raises :class:`EvalHarnessError` with the file, the line
    and the keys that were found.
    """
    shape = _Shape(path, prompt_key, completion_key, render or by_role_and_line)
    rows: list[DataRow] = []
    refused: list[str] = []
    conversations = 0
    pairs = 0
    instructions = 0
    for place, record in read_records(path, say):
        pairs += shape.preferred(record)
        instructions += shape.is_instruction(record)
        turns = shape.turns(record)
        if turns is None:
            rows.append(shape.row(place, record))
            continue
        conversations += 1
        try:
            rows += [DataRow(p, c, rendered=render is not None) for p, c in answers(turns, shape.render)]
        except Exception as error:  # noqa: BLE001 - a chat template is a program of its author's
            refused.append(f"{place}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    if refused:
        say(f"{path.name}: the chat template refuses {len(refused)} of {conversations} conversations: {refused[0]}")
    if conversations:
        how = "rendered by the tokenizer's chat template" if render else "rendered role by line, for want of a template"
        say(f"{path.name}: {conversations} conversations with {len(rows)} answers of the assistant, {how}")
    if pairs:
        say(f"{path.name}: {pairs} pairs of answers: `{PREFERRED_KEY}` is read, `{OTHER_KEY}` is not")
    if instructions and render is None:
        say(f"{path.name}: {instructions} rows of instruction and output, with the text of Alpaca's prompt around them")
    if not rows:
        raise EvalHarnessError(f"{path}: no data rows in it{': ' + refused[0] if refused else ''}")
    return rows


def each_text(path: Path, prompt_key: str | None = None, completion_key: str | None = None) -> Iterator[str]:
    """The text of every row of a file, prompt and completion together, none left out; conversations role by line.

    What has to be looked for in all of the data is looked for here: :func:`read_rows` draws some of a large file.
    Raises as it does.
    """
    shape = _Shape(path, prompt_key, completion_key, by_role_and_line)
    for place, record in each_record(path):
        turns = shape.turns(record)
        if turns is None:
            row = shape.row(place, record)
            yield row.prompt + row.completion
        else:
            yield by_role_and_line(turns, answer_follows=False)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the records of one file are understood."""

    path: Path
    prompt_key: str | None
    completion_key: str | None
    render: Render

    def preferred(self, record: Any) -> bool:
        """Whether a record is a pair of answers, and no key says what else to read of it."""
        return not self.completion_key and isinstance(record, dict) and {PREFERRED_KEY, OTHER_KEY} <= record.keys()

    def is_instruction(self, record: Any) -> bool:
        """Whether a record is in Alpaca's form, and no key says what else to read of it."""
        if self.prompt_key or self.completion_key or not isinstance(record, dict):
            return False
        return is_instruction(record) and self._completion(record) is not None

    def turns(self, record: Any) -> list[Turn] | None:
        """The turns of a conversation, or of a prompt and a completion that are lists of turns."""
        if not isinstance(record, dict):
            return None
        if self.render is not by_role_and_line and self.is_instruction(record):
            return instruction_turns(record, self._completion(record) or "")
        named = [key for key in (self.prompt_key, self.completion_key) if key]
        for key in named or CONVERSATION_KEYS:
            if len(named) < 2 and (turns := turns_of(record.get(key))):
                return turns
        prompt = turns_of(record.get(self.prompt_key or "prompt"))
        preferred = self.preferred(record)
        completion = turns_of(record.get(self.completion_key or (PREFERRED_KEY if preferred else "completion")))
        if preferred and completion and "prompt" not in record:
            return completion  # the prompt is in it
        return [*prompt, *completion] if prompt and completion else None

    def row(self, place: str, record: Any) -> DataRow:
        if not isinstance(record, dict):
            raise EvalHarnessError(f"{self.path}: {place} is a {type(record).__name__}, expected an object")
        if is_plain_text(self.path):
            return DataRow("", record["text"], running=True)
        prompt = instruction_prompt(record) if self.is_instruction(record) else record.get(self.prompt_key or "prompt")
        completion = self._completion(record)
        if completion is not None and isinstance(prompt, str):
            return DataRow(prompt, completion)
        text = None if self.prompt_key or self.completion_key else _first_text(record, self._text_keys(record))
        if text is None:
            raise self._unknown(place, record)
        return DataRow("", text)

    def _completion(self, record: dict[str, Any]) -> str | None:
        return _first_text(record, self._completion_keys(record))

    def _completion_keys(self, record: dict[str, Any]) -> tuple[str, ...]:
        if self.completion_key:
            return (self.completion_key,)
        return (PREFERRED_KEY,) if self.preferred(record) else COMPLETION_KEYS

    def _text_keys(self, record: dict[str, Any]) -> tuple[str, ...]:
        """A pair of whole texts has its prompt in both."""
        return (PREFERRED_KEY,) if self.preferred(record) and "prompt" not in record else TEXT_KEYS

    def _unknown(self, place: str, record: dict[str, Any]) -> EvalHarnessError:
        named = f"{self.prompt_key or 'prompt'} and {self.completion_key or 'completion'}"
        any_of = "prompt and completion, or text, or messages, or instruction and output"
        return EvalHarnessError(
            f"{self.path}: {place} has the keys {', '.join(record) or 'none'}; "
            f"expected {named if self.prompt_key or self.completion_key else any_of} "
            "([data] prompt_key and completion_key in the manifest name them)"
        )


def _first_text(record: dict[str, Any], keys: Sequence[str]) -> str | None:
    return next((record[key] for key in keys if isinstance(record.get(key), str)), None)


def tokenize(
    rows: Sequence[DataRow],
    tokenizer: Tokenizer,
    *,
    context_length: int | None,
    begin: Sequence[int],
    count_prompt: bool,
    say: Say | None = None,
) -> list[TokenRow]:
    """Encode rows as they are trained on: prompt and completion apart, cut to the context; no targets, no row.

    Running text is cut into pieces of the context's length, each a row. A row that the vocabulary can't spell is left
    out, and ``say`` is told how many and the first; without ``say``, or where all are so, it raises
    :class:`EvalHarnessError`.
    """
    encoded: list[TokenRow] = []
    unspelled: list[str] = []
    for index, row in enumerate(rows):
        try:
            prompt = [*(() if row.rendered else begin), *(tokenizer.encode(row.prompt) if row.prompt else [])]
            completion = tokenizer.encode(row.completion)
        except ValueError as error:
            unspelled.append(f"data row {index + 1}: {error}")
            continue
        first = 1 if count_prompt else max(1, len(prompt))
        for ids, tokens in _pieces(prompt, completion, context_length if row.running else None):
            cut = ids[:context_length]
            if len(cut) > first:
                encoded.append(TokenRow(cut, first, min(len(prompt), len(cut)), index, tokens))
    if unspelled and len(unspelled) == len(rows):
        raise EvalHarnessError(
            f"no data row can be encoded; {unspelled[0]}. The tokenizer has "
            f"{tokenizer.vocab_size} tokens, and training loses what it can't spell or makes it the unknown token: "
            "take the tokenizer of this data, or train with one that spells every text (byte-level)"
        )
    if unspelled and say is None:
        raise EvalHarnessError(f"{unspelled[0]}; is this the tokenizer of this data?")
    if unspelled and say is not None:
        say(f"{len(unspelled)} of {len(rows)} data rows can't be encoded and are left out; the first: {unspelled[0]}")
    return encoded


def measured_rows(rows: Sequence[TokenRow], most: int | None = None) -> tuple[TokenRow, ...]:
    """The rows that losses are measured on: all where they are few, else :data:`MEASURED_ROWS` spread evenly.

    ``most`` is another number of them, whatever their lengths are.
    """
    if most is None and sum(len(row.ids) for row in rows) <= MEASURED_IDS:
        return tuple(rows)
    return evenly(rows, MEASURED_ROWS if most is None else most)


def _pieces(prompt: list[int], completion: list[int], length: int | None) -> Iterator[tuple[tuple[int, ...], int]]:
    """The row with its number of tokens; or pieces of ``length`` ids, each after the same ``prompt``."""
    room = len(completion) if length is None else max(1, length - len(prompt))
    for begin in range(0, max(1, len(completion)), max(1, room)):
        piece = (*prompt, *completion[begin : begin + room])
        yield piece, len(piece)
