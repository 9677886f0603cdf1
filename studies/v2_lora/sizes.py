"""The two sizes of the study: what the write-up trained, and one that two cores train in an hour."""

from __future__ import annotations

from dataclasses import dataclass

from peft import LoraConfig


@dataclass(frozen=True, slots=True)
class Stage:
    """How one stage is trained: steps, rows in a batch, the highest learning rate, and its linear warm-up."""

    steps: int
    every: int
    """Validate and save every so many steps."""
    rows: int
    rate: float
    warmup: int

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: a linear warm-up, then constant."""
        return self.rate * min(1.0, (step + 1) / self.warmup)

    @property
    def saved(self) -> range:
        return range(self.every, self.steps + 1, self.every)


@dataclass(frozen=True, slots=True)
class Size:
    """A model's shape, its stages, and how many library functions it is trained on (None: all)."""

    width: int
    layers: int
    heads: int
    base: Stage
    tuning: Stage
    whole_tuning: Stage
    repair: Stage
    library_rows: int | None

    @property
    def shape(self) -> dict[str, int]:
        return {"width": self.width, "layers": self.layers, "heads": self.heads}


SIZES = {
    "small": Size(
        width=128,
        layers=2,
        heads=4,
        base=Stage(steps=600, every=150, rows=8, rate=2e-3, warmup=60),
        tuning=Stage(steps=400, every=100, rows=8, rate=2e-3, warmup=40),
        whole_tuning=Stage(steps=400, every=100, rows=8, rate=5e-4, warmup=40),
        repair=Stage(steps=300, every=150, rows=8, rate=2e-3, warmup=60),
        library_rows=6000,
    ),
    "full": Size(
        width=512,
        layers=8,
        heads=8,
        base=Stage(steps=50_000, every=10_000, rows=32, rate=3e-4, warmup=2000),
        tuning=Stage(steps=20_000, every=2000, rows=8, rate=1e-4, warmup=500),
        whole_tuning=Stage(steps=6000, every=2000, rows=8, rate=5e-5, warmup=500),
        repair=Stage(steps=2000, every=500, rows=32, rate=3e-4, warmup=200),
        library_rows=None,
    ),
}


def lora() -> LoraConfig:
    """The write-up's adapter."""
    return LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules=["qkv", "out_proj"])
