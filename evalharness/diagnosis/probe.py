"""What a probe is: one question, what it needs, what it costs, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Need
    from evalharness.models.protocols import Capability
    from evalharness.records import Outcome, Severity

AskedOf = Literal["checkpoint", "batch", "rows"]
"""When a probe is asked: of a trained checkpoint; or before training, of a model with one batch of the loop, or of a
model with the first rows of its data."""
LOGITS: frozenset[Capability] = frozenset({"full_logits"})
MODULE: frozenset[Capability] = frozenset({"full_logits", "module"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe. Every file in ``probes/`` exports its own as ``PROBE``.

    ``question``: what it asks, in one sentence. ``run``: establishes findings, what is ruled out, or why it can't tell.
    ``order``: of two findings that are alike in severity and in what they explain, the lower number stands first.
    ``at_most``: the highest severity that the answer may have. ``forward_passes``: about how many
    forward passes of one row it costs at most. ``needs``: the data, log or adapter without which it is not testable.
    ``capabilities``: what the model has to offer, else it is not testable either. ``skipped_if_leak``: with a leak its
    answer would be about the leak and nothing else. ``skipped_if_repaired``: it asks by which convention the log was
    computed, and a proven repair has answered that. ``ends_if_cause``: if it finds a cause, no other probe can be run.
    ``explains_all``: if it finds a cause, loss and completions are explained, and what runs the model is not asked.
    ``asked_last``: it asks what the others left over. All other probes are asked from the cheapest to the dearest.
    ``not_worth_trying``: what the report of a run advises against once the hypothesis is ruled out; may be empty.
    ``package``: the package that it comes from, filled in by evalharness; None for its own probes.
    """

    name: str
    question: str
    run: Callable[[Measured], Outcome | tuple[Outcome, ...]]
    order: int
    at_most: Severity
    forward_passes: int
    needs: tuple[Need, ...] = ()
    capabilities: frozenset[Capability] = frozenset()
    skipped_if_leak: bool = False
    skipped_if_repaired: bool = False
    ends_if_cause: bool = False
    explains_all: bool = False
    asked_last: bool = False
    asked_of: frozenset[AskedOf] = frozenset({"checkpoint"})
    not_worth_trying: str = ""
    package: str | None = None

    @property
    def runs_model(self) -> bool:
        """Whether it runs the model, and so costs more than reading data."""
        return bool(self.capabilities) or "generate" in self.needs
