"""Validations without the word "loss" in a log that has it elsewhere: ``loss 4.5 | val 4.6``, ``val ppl 99``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log.columns import is_named_validation, number
from evalharness.training_log.figure_names import LossName, in_nats, loss_name
from evalharness.training_log.line_figures import LineFigures
from evalharness.training_log.open_log import note_unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.training_log.open_log import OpenLog


@dataclass(frozen=True, slots=True)
class _Figure:
    value: float
    step: int
    line: int


@dataclass(slots=True)
class UnsaidLosses:
    """What lines say of a validation by other names. Of several the most telling one counts.

    ``first``: the line and the step of the first training loss; what stands above it may be of another model.
    ``has_training``: a training loss has such a name as well.
    """

    log: OpenLog
    first: tuple[int, int] | None = None
    has_training: bool = False
    sets: set[str] = field(default_factory=set)
    """Losses of validation sets by name, of which none is *the* validation loss."""
    known: LineFigures = field(default_factory=LineFigures)
    figures: dict[str, list[_Figure]] = field(default_factory=dict)

    def see(self, line: str, step: int, at: int) -> bool:
        """Keep what a line in lower case says, as it is logged. Whether it says something of a validation."""
        if not _may_have(line) or "reward" in line or not line.endswith("\n"):
            return False
        of_validation = False
        for name, text in self.known.of(line).items():
            loss, value = loss_name(name), number(text)
            if loss is None and is_named_validation(name):
                self.sets.add(name)
            if loss is None or value is None:
                continue
            if loss.split == "train":
                self.has_training = True
            else:
                of_validation = True
                self.figures.setdefault(name, []).append(_Figure(value, step, at))
        return of_validation

    def points(self) -> Iterator[LossPoint]:
        """The losses, in nats; those of another model go to the log's base. Raises LogError if two names may be it."""
        note_unread(self.log, self.sets)
        name = self._most_telling()
        loss = None if name is None else loss_name(name)
        if name is None or loss is None:
            return
        for figure in self.figures[name]:
            value = in_nats(figure.value, loss.unit, self.log.keys.bytes_per_token)
            if value is None:
                self.log.leave_out_bits([name])
                continue
            point = LossPoint(figure.step, "validation", value, f"{self.log.name}:{figure.line}")
            if self.first and figure.line < self.first[0] and figure.step > self.first[1]:
                self.log.base_losses.append(point)
            else:
                self.log.understood.setdefault(("validation", name), "name" if loss.said else "form")
                yield point

    def _most_telling(self) -> str | None:
        ranks = {name: loss.rank() for name in self.figures if (loss := self._loss(name))}
        best = [name for name in ranks if ranks[name] == min(ranks.values())]
        if len(best) > 1:
            choices = " or ".join(f'"{name}"' for name in best)
            raise LogError(
                f"{self.log.path}: {len(best)} figures may be the validation loss; set [log] validation = {choices}"
            )
        return best[0] if best else None

    def _loss(self, name: str) -> LossName | None:
        """Which loss it is. Whole numbers that only name a split count something: ``val 100``."""
        loss = loss_name(name)
        counts = all(figure.value.is_integer() for figure in self.figures[name])
        return None if loss is None or (counts and not loss.said) else loss


def _may_have(line: str) -> bool:
    """Whether a word of such a name is in a line: a million lines without one are not taken apart."""
    return "val" in line or "ppl" in line or "perpl" in line or "bpb" in line or _has_rare_word(line)


def _has_rare_word(line: str) -> bool:
    return "nll" in line or "test" in line or "train" in line or "dev" in line or "held" in line
