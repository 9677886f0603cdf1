# ruff: noqa: E501 - the sentences of the result read best whole
"""How fast loops are found, and how time grows with the length of a completion."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.degeneration import analyse, find_loops_in, longest_runs, loop_criteria, seq_reps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
LONGEST = 10_000_000


def speed(out: Path) -> tuple[str, dict[str, Any]]:
    """Tokens a second on one core, time against length with a figure in ``out``, and what bad input costs."""
    draw = np.random.default_rng(0)
    completions = []
    for i in range(4_000):
        tail = np.tile(draw.integers(0, 8_000, 1 + i % 64), 256)
        completions.append(np.concatenate((draw.integers(0, 8_000, 256 if i % 2 else 20), tail))[:256].tolist())
    rate = max(4_000 * 256 / _seconds(completions) for _ in range(3))
    times = {
        name: [min(_seconds([_sequence(draw, n, period)]) for _ in range(5)) for n in LENGTHS]
        for name, period in {"random": 0, "period 7": 7, "period 200": 200}.items()
    }
    _draw(times, out / "calibration_speed.svg")
    slopes = {name: float(np.polyfit(np.log(LENGTHS[2:]), np.log(row[2:]), 1)[0]) for name, row in times.items()}
    worst = {"newlines": _analysed("\n" * LONGEST), "random letters": _analysed(_letters(draw))}
    said = ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())
    text = (
        f"## Speed\n\nExact loops, runs and seq-rep of 4,000 completions of 256 tokens, half of them looping, on one core, in CPU time: "
        f"{rate / 1e6:.1f} million tokens a second. Time grows with the length to the power of (1 is linear, from 10,000 "
        f"tokens on): {said}. All of the analysis of one completion of 10 MB: {worst['newlines']:.1f} s of newlines, "
        f"{worst['random letters']:.1f} s of random letters.\n\n![time against length](calibration_speed.svg)"
    )
    return text, {"tokens_per_s": rate, "slopes": slopes, "seconds_of_10_MB": worst}


def _sequence(draw: np.random.Generator, length: int, period: int) -> np.ndarray[Any, Any]:
    if not period:
        return draw.integers(0, 8_000, length)
    return np.tile(draw.integers(0, 8_000, period), length // period + 1)[:length]


def _letters(draw: np.random.Generator) -> str:
    return draw.integers(97, 123, LONGEST).astype(np.uint8).tobytes().decode()


def _seconds(sequences: Sequence[Any]) -> float:
    """CPU time: what else runs on the machine is not counted."""
    start = time.process_time()
    find_loops_in(sequences, min_length=loop_criteria.MIN_TOKENS)
    longest_runs(sequences)
    seq_reps(sequences)
    return time.process_time() - start


def _analysed(text: str) -> float:
    start = time.process_time()
    analyse(text)
    return time.process_time() - start


def _draw(times: dict[str, list[float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "calibration"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, row in times.items():
        axes.loglog(LENGTHS, row, marker="o", label=name)
    axes.loglog(LENGTHS, [row * 2e-7 for row in LENGTHS], color="grey", linestyle=":", label="linear")
    axes.set(xlabel="tokens in one completion", ylabel="seconds", title="Exact loops, runs and seq-rep")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
