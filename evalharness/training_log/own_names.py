"""The step and the losses among columns with names of one's own: what the user says, else by the form of the values.

A counter is a whole number that grows; a loss has a word of a loss or of a split in its name. Where two readings are
possible neither is taken: the error names the settings that decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log.columns import (
    EMPTY,
    EPOCHS,
    LOSSES,
    MEANS,
    STEPS,
    OwnNames,
    columns,
    is_of_rewards,
    names_split,
    number,
    plain_name,
    split_of,
)
from evalharness.training_log.figure_names import is_counter, is_of_tokens, is_other_count, loss_name, unit_of
from evalharness.training_log.line_figures import OF_A_TOTAL
from evalharness.training_log.plausible import MOST_NATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from evalharness.records import Split
    from evalharness.training_log.columns import Columns
    from evalharness.training_log.log_keys import Role
    from evalharness.training_log.open_log import OpenLog

ENOUGH_ROWS = 200
"""The first rows show whether a column grows."""
RISES_A_FALL = 3
SAME_LOSS = 0.01
"""So close are a loss and the logarithm of its perplexity, both rounded."""
STEPS_ARE_EPOCHS = "no column counts steps: they are its epochs"


def own_names(log: OpenLog, rows: Sequence[Mapping[str, object]]) -> OwnNames:
    """The columns of step and losses that are told, or found by their form where no name is known.

    ``rows`` are the first of the log. Raises :class:`LogError` where a told name is not there, or where two columns
    may be the step or the same loss.
    """
    return _Columns(log, rows).names()


class RowPlans:
    """What the keys of each row hold. A name that the first rows don't have is looked at when it comes."""

    def __init__(self, log: OpenLog, first: Sequence[Mapping[str, object]]) -> None:
        self._log = log
        self._rows = list(first)
        self._names = {name for row in first for name in row}
        self.own = own_names(log, self._rows)
        self._plans: dict[tuple[str, ...], Columns | None] = {}

    def of(self, row: Mapping[str, object], beside: tuple[str, ...] = ()) -> Columns | None:
        """The columns of a row; None where it has no step or no loss. ``beside``: keys that it has from elsewhere."""
        keys = (*row, *beside)
        if keys not in self._plans:
            new = row.keys() - self._names
            if any(map(loss_name, new)):
                self._names |= new
                self._rows.append(row)
                self.own = own_names(self._log, self._rows)
            plan = self._plans[keys] = columns(keys, self.own)
            if plan is not None:
                self._log.understand(plan, self.own)
        return self._plans[keys]

    def names(self) -> set[str]:
        """Every key that a row has had."""
        return {key for keys in self._plans for key in keys}


@dataclass(slots=True)
class _Columns:
    log: OpenLog
    rows: Sequence[Mapping[str, object]]
    values: dict[str, list[object]] = field(default_factory=dict)
    other: set[str] = field(default_factory=set)

    def names(self) -> OwnNames:
        for row in self.rows:
            for name, value in row.items():
                self.values.setdefault(name, []).extend([] if _is_empty(value) else [value])
        self.other = self._other()
        keys = self.log.keys
        given = {role: self._spelled_in_log(role, wanted) for role, wanted in keys.named()}
        losses: dict[Split, str] = {split: given[split] for split in LOSSES if split in given}
        if "train" in losses and (of_validation := f"validation {losses['train']}") in self.values:
            losses.setdefault("validation", of_validation)  # the same name on lines of a validation
        if not any(map(is_of_rewards, self.values)):
            losses = {**self._losses(losses.keys()), **losses}
        step = given.get("step")
        if step is None and losses | self._known_losses() and not self._known(STEPS):
            step = self._step()
        split = self._split(set((losses | self._known_losses()).values()))
        return OwnNames(
            step, self._readable(losses), frozenset(given), keys.bytes_per_token, split, frozenset(self.other)
        )

    def _other(self) -> set[str]:
        """Plain names of means and sums of what has a column of its own: they are not the loss of a token."""
        plain = set(map(plain_name, self.values))
        losses = {name: loss for name in self.values if (loss := loss_name(name)) and loss.unit == "nats"}
        large = {name for name in losses if all(value > MOST_NATS for value in self._numbers(name))}
        small = {losses[name].split for name in losses.keys() - large}
        sums = {plain_name(name) for name in large if losses[name].split in small}
        return sums | {mean for of_step, mean in MEANS.items() if of_step in plain} | self._with_more(losses.keys())

    def _with_more(self, losses: AbstractSet[str]) -> set[str]:
        """Plain names of losses beside which every row has that of the tokens alone: ``loss`` beside ``ce``."""
        of_tokens = {name: loss for name in losses if is_of_tokens(name) and (loss := loss_name(name))}
        plain = {name: loss for name in losses - of_tokens.keys() if split_of(name) and (loss := loss_name(name))}
        return {
            plain_name(name)
            for name, whole in plain.items()
            for other, loss in of_tokens.items()
            if (loss.split, loss.of_test) == (whole.split, whole.of_test) and self._is_beside(other, name)
        }

    def _is_beside(self, other: str, name: str) -> bool:
        """Whether each row with a value under ``name`` has one under ``other``."""
        return all(_is_empty(row.get(name)) or not _is_empty(row.get(other)) for row in self.rows)

    def _numbers(self, name: str) -> list[float]:
        return [value for value in map(number, self.values[name]) if value is not None]

    def _split(self, losses: set[str]) -> str | None:
        """The column that says the split of every row with a loss, such as ``event``: by its values."""
        rows = [row for row in self.rows if not losses.isdisjoint(row)]
        return next((name for name in self.values if rows and all(names_split(row.get(name)) for row in rows)), None)

    def _spelled_in_log(self, role: Role, wanted: str) -> str:
        """The name that the user gave, as the log spells it. What the first rows don't have may come later."""
        if len(self.rows) >= ENOUGH_ROWS and wanted not in self.values:
            return wanted
        return self.log.keys.name(role, self.values, self.log.path) or wanted

    def _readable(self, losses: Mapping[Split, str]) -> dict[Split, str]:
        """Those whose unit can be converted; a note names the others, and what they need."""
        if self.log.keys.bytes_per_token is not None:
            return dict(losses)
        in_bytes = sorted(name for name in losses.values() if unit_of(name) == "bits per byte")
        if in_bytes:
            self.log.leave_out_bits(in_bytes)
        return {split: name for split, name in losses.items() if name not in in_bytes}

    def _known(self, names: Iterable[str]) -> bool:
        return not {plain_name(name) for name in self.values}.isdisjoint(names)

    def _known_losses(self) -> dict[Split, str]:
        plain = {plain_name(name): name for name in self.values}
        return {s: plain[n] for s, known in LOSSES.items() for n in known if n in plain and n not in self.other}

    def _losses(self, given: AbstractSet[Split]) -> dict[Split, str]:
        """The one column whose words name the loss, for each split that the user and the known names leave open."""
        missing = LOSSES.keys() - self._known_losses().keys() - given
        losses: dict[Split, str] = {}
        for split in sorted(missing):
            named = {
                name: loss
                for name in self.values
                if (loss := loss_name(name)) and loss.split == split and plain_name(name) not in self.other
            }
            for unit in ("nats", "bits", "perplexity", "bits per byte"):
                of_unit = [n for n, loss in named.items() if loss.unit == unit and self._is_loss(n, said=loss.said)]
                said = [name for name in of_unit if named[name].said] or of_unit
                if len(said) > 1:
                    raise LogError(self._two(split, said))
                if said:
                    losses[split] = said[0]
                    break
        train, others = losses.get("train"), self._known_losses() | losses
        if train and "validation" in others and self._is_perplexity_of(train, others["validation"]):
            del losses["train"]
        return losses

    def _is_perplexity_of(self, name: str, validation: str) -> bool:
        """Whether a perplexity is that of the validation beside it: its logarithm is the same in every row."""
        if unit_of(name) != "perplexity" or unit_of(validation) != "nats":
            return False
        pairs = [(number(row.get(name)), number(row.get(validation))) for row in self.rows if name in row]
        return all(a is not None and b is not None and _is_exponential(a, b) for a, b in pairs)

    def _is_loss(self, name: str, *, said: bool) -> bool:
        """Whether the values may be losses: those of a column that only names a split are not all whole."""
        numbers = self._numbers(name)
        return len(numbers) * 2 >= len(self.values[name]) and (said or not all(value.is_integer() for value in numbers))

    def _step(self) -> str | None:
        """The column that counts, by its values. Raises :class:`LogError` where two may be it, or none is."""
        counts = [name for name in self.values if name.strip() and not name.startswith(OF_A_TOTAL)]
        growing = [name for name in counts if not is_other_count(name) and self._grows(name)]
        called = [name for name in growing if is_counter(name)]
        chosen = called or growing
        different = {tuple(map(str, self.values[name])): name for name in reversed(chosen)}
        if len(different) > 1:
            raise LogError(self._two("step", list(reversed(different.values()))))
        if chosen:
            return chosen[0]
        epochs = [name for name in self.values if plain_name(name) in EPOCHS and self._grows(name)]
        if epochs:
            self.log.note(STEPS_ARE_EPOCHS)
            return epochs[0]
        return None

    def _grows(self, name: str) -> bool:
        """Whether it is a whole number that grows. It may fall where an epoch begins, and a counter at a restart."""
        before: float | None = None
        epoch: object = None
        rises = falls = 0
        for row in self.rows:
            if _is_empty(row.get(name)):
                continue
            value = number(row[name])
            if value is None or value < 0 or not value.is_integer():
                return False
            begun = next((row[key] for key in row if plain_name(key) in EPOCHS), None)
            falls += before is not None and value < before and begun == epoch
            rises += before is not None and value > before
            before, epoch = value, begun
        return rises > 0 and (not falls or (is_counter(name) and rises > RISES_A_FALL * falls))

    def _two(self, role: str, names: Sequence[str]) -> str:
        shown = ", ".join(f"{name!r} ({', '.join(map(str, self.values[name][:2]))})" for name in names)
        choices = " or ".join(f'"{name}"' for name in names)
        called = "the step" if role == "step" else f"the {'training' if role == 'train' else role} loss"
        return f"{self.log.path}: {len(names)} columns may be {called}: {shown}; set [log] {role} = {choices}"


def _is_exponential(perplexity: float, loss: float) -> bool:
    return perplexity > 0 and math.isclose(math.log(perplexity), loss, abs_tol=SAME_LOSS)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in EMPTY)
