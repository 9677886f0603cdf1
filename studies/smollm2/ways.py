"""The four ways: three trainings, and one of their checkpoints asked without its chat template."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Training:
    """One training: its folder, its highest learning rate, and whether its collator hides the end token.

    ``share_of_steps``: it is stopped after this share of the planned steps.
    """

    name: str
    learning_rate: float
    hides_end: bool = False
    share_of_steps: float = 1.0

    def last_step(self, planned: int) -> int:
        return max(1, round(self.share_of_steps * planned))


@dataclass(frozen=True, slots=True)
class Way:
    """One report: its name, what was done, the training whose last checkpoint it scores, and options of the score."""

    name: str
    words: str
    training: Training
    cause: str | None
    """The probe that should name what is wrong; None where nothing is."""
    options: tuple[str, ...] = ()


RIGHT = Training("right", learning_rate=1e-3)
NO_END = Training("no_end", learning_rate=1e-3, hides_end=True)
HIGH_RATE = Training("high_rate", learning_rate=3e-2, share_of_steps=0.5)
"""Half of the steps are enough to see that it diverged."""
TRAININGS = (RIGHT, NO_END, HIGH_RATE)

WAYS = (
    Way("right", "tuned well", RIGHT, None),
    Way("no_end", "the end token masked with the padding", NO_END, "no_end_token"),
    Way(
        "plain",
        "the first, asked without its chat template",
        RIGHT,
        "prompt_format",
        ("--chat", "never"),
    ),
    Way("high_rate", "thirty times the learning rate", HIGH_RATE, "diverged"),
)
