"""Attention scores or logits that are capped softly, `cap · tanh(x / cap)`, with another cap than in training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

NAMES = ("attn_logit_softcapping", "final_logit_softcapping", "attn_logit_softcap", "final_logit_softcap")
CAPS = (None, 15.0, 20.0, 30.0, 50.0)
"""Of released models: none, or Gemma 2's 30 for logits and 50 for scores; nanochat caps logits at 15."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Other caps, and none, for every name that modules or their configurations keep."""
    for name in NAMES:
        kept = kept_values(subject.torch_model.module, (name,), int, float, type(None))
        for cap in CAPS if kept else ():
            if any(value != cap for value in kept.values()):
                yield Repair(
                    kind="softcapping",
                    words=f"`{name}` = {cap}",
                    place=next(iter(kept)),
                    remedy=f"Set `{name}` to {cap}, as in training: it is {next(iter(kept.values()))}.",
                    change=partial(swapped_attributes, values=dict.fromkeys(kept, cap)),
                    settings={name: cap},
                    present={name: next(iter(kept.values()))},
                )
