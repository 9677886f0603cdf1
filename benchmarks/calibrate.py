# ruff: noqa: E501 - the sentences of the result read best whole
"""What the detector of degeneration gets wrong: on reference code, and on loops that were planted.

    python benchmarks/calibrate.py [--functions N] [--plants N] [--seed N] [--out reports] [--no-speed]

Writes OUT/calibration.md, OUT/calibration.json with every false positive and miss, and OUT/calibration_speed.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from corpora import PACKAGES, Reference, hard_negatives, references
from planted import LOOPING, Plant, plants
from rivals import RIVALS, SCORES
from scipy.stats import beta

from evalharness.degeneration import analyse, find_loops_in, longest_runs, seq_reps, significance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CUT_CHARACTERS = 1_000
"""A function that is longer is also tried cut here, as at a limit of about 256 tokens."""
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
THRESHOLDS = {
    "MIN_COPIES": (3, 4, 5, 6),
    "MIN_TOKENS": (24, 32, 48, 64),
    "MIN_CHARACTERS": (100, 125, 150, 200),
    "MIN_SHARE_ENDED": (0.0, 0.1, 0.2, 0.3),
    "DOMINANT_SHARE": (0.3, 0.4, 0.5, 0.6),
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many."""

    hits: int
    of: int

    @property
    def upper(self) -> float:
        """The exact one-sided 95 % upper bound of the share (Clopper and Pearson 1934)."""
        return 1.0 if self.hits >= self.of else float(beta.ppf(0.95, self.hits + 1, self.of - self.hits))

    def percent(self) -> str:
        """The share in percent."""
        return f"{100 * self.hits / self.of:.2f} %" if self.of else "–"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one plant, by tokens or by text."""

    kind: str
    mode: str
    noisy: bool
    ending: str
    found: bool
    kind_right: bool
    onset_right: bool
    named: str | None
    evidence: str
    text: str


def main() -> None:
    asked = _arguments()
    out = Path(asked.out)
    functions = references(asked.functions, asked.seed)
    calibration = [f for f in functions if not f.held_out]
    held_out = [f for f in functions if f.held_out]
    negatives = hard_negatives()
    code = [f.text for f in held_out if "\n" in f.text and len(f.text) > 200]
    planted = plants(code, asked.plants, asked.seed)
    with ProcessPoolExecutor() as pool:
        wrong = {
            name: _false_positives(pool, held_out + negatives, condition) for name, condition in CONDITIONS.items()
        }
        judged = [row for rows in pool.map(judge, planted, chunksize=16) for row in rows]
        rivals = _rivals(pool, calibration, held_out, negatives, planted)
        origins = {
            name: [(value, len(_false_positives(pool, calibration, (None, None), {name: value}))) for value in values]
            for name, values in THRESHOLDS.items()
        }
    result = {
        "command": "python benchmarks/calibrate.py",
        "versions": _versions(),
        "functions": {"calibration": len(calibration), "held out": len(held_out), "hard negatives": len(negatives)},
        "corpora": dict(Counter(f.corpus for f in held_out)),
        "false positives": {name: [asdict(f) | {"evidence": e, "text": ""} for f, e in w] for name, w in wrong.items()},
        "misses": [asdict(j) | {"text": j.text[-400:]} for j in judged if not j.found],
    }
    parts = [
        _introduction(result, len(planted)),
        _false_positive_table(wrong, held_out, negatives),
        _planted_table(judged),
        _rival_table(rivals, wrong["end not known"], held_out, negatives, judged),
        _origin_table(origins, len(calibration)),
    ]
    if asked.speed:
        parts.append(_speed(out))
    out.mkdir(parents=True, exist_ok=True)
    (out / "calibration.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    (out / "calibration.json").write_text(json.dumps(result, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


CONDITIONS: dict[str, tuple[str | None, int | None]] = {
    "end not known": (None, None),
    "ended by the model": ("end_token", None),
    "cut at a limit": ("max_new_tokens", CUT_CHARACTERS),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=3_000, help="most functions of one corpus")
    parser.add_argument("--plants", type=int, default=300, help="planted loops of each kind, exact and noisy each")
    parser.add_argument("--seed", type=int, default=1, help="0 is the one that thresholds were tried on")
    parser.add_argument("--out", default="reports")
    parser.add_argument("--no-speed", dest="speed", action="store_false")
    return parser.parse_args()


def evidence_against(text: str, stop_reason: Any, thresholds: dict[str, float]) -> str:
    """The evidence if ``text`` is called degenerate, else nothing; under other ``thresholds`` where some are given."""
    with contextlib.ExitStack() as changed:
        for name, value in thresholds.items():
            changed.enter_context(mock.patch.object(significance, name, value))
        found = analyse(text, stop_reason=stop_reason)
    return found.evidence if found.degenerate else ""


def _false_positives(
    pool: ProcessPoolExecutor,
    functions: Sequence[Reference],
    condition: tuple[str | None, int | None],
    thresholds: dict[str, float] | None = None,
) -> list[tuple[Reference, str]]:
    stop_reason, cut = condition
    functions = [f for f in functions if cut is None or len(f.text) > cut]
    texts = [f.text[:cut] for f in functions]
    n = len(texts)
    found = pool.map(evidence_against, texts, [stop_reason] * n, [thresholds or {}] * n, chunksize=256)
    return [(f, evidence) for f, evidence in zip(functions, found, strict=True) if evidence]


def judge(plant: Plant) -> list[Judged]:
    """Analyse one plant by its tokens and by its text alone."""
    rows = []
    for mode in ("tokens", "text"):
        by_tokens = {"token_ids": plant.token_ids, "decode": plant.decode} if mode == "tokens" else {}
        found = analyse(plant.text, stop_reason=plant.stop_reason, **by_tokens)
        loop = found.loop
        near = False
        if loop is not None and loop.unit == "token":
            near = abs(loop.onset - plant.onset) <= plant.period
        elif loop is not None:
            near = abs(loop.onset - plant.onset_characters) <= max(1.0, plant.period_characters)
        rows.append(
            Judged(
                kind=plant.kind,
                mode=mode,
                noisy=plant.noisy,
                ending=plant.ending,
                found=found.degenerate,
                kind_right=found.kind == plant.kind,
                onset_right=near,
                named=found.kind,
                evidence=found.evidence,
                text=plant.text,
            )
        )
    return rows


def _rivals(
    pool: ProcessPoolExecutor,
    calibration: Sequence[Reference],
    held_out: Sequence[Reference],
    negatives: Sequence[Reference],
    planted: Sequence[Plant],
) -> dict[str, tuple[int, int, int]]:
    """For each rival: false positives on held-out code and on hard negatives, and misses among the plants."""
    del pool
    texts = [[f.text for f in held_out], [f.text for f in negatives], [p.text for p in planted]]
    table: dict[str, tuple[int, int, int]] = {}
    for name, says in RIVALS.items():
        wrong, fooled, found = (sum(map(says, group)) for group in texts)
        table[name] = (wrong, fooled, len(planted) - found)
    for name, score in SCORES.items():
        threshold = float(np.quantile([score(f.text) for f in calibration], 0.999))
        wrong, fooled, found = (sum(score(text) > threshold for text in group) for group in texts)
        table[f"{name} ({threshold:.2f})"] = (wrong, fooled, len(planted) - found)
    return table


def _introduction(result: dict[str, Any], planted: int) -> str:
    of = result["functions"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return (
        "# Calibration of degeneration\n\n"
        f"Made by `{result['command']}`. {of['held out']:,} functions of real code that no threshold was set on, "
        f"{of['hard negatives']} hard negatives and {planted:,} planted loops; thresholds were set on {of['calibration']:,} "
        "other functions, from other files. A false positive is a function that is called degenerate; a miss is a "
        f"planted loop that is not. Every one of them is in `calibration.json`.\n\nVersions: {versions}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]
    )


def _false_positive_table(
    wrong: dict[str, list[tuple[Reference, str]]], held_out: Sequence[Reference], negatives: Sequence[Reference]
) -> str:
    groups = {name: {name} for name in dict.fromkeys(f.corpus for f in held_out)}
    groups |= {"**all reference code**": set(groups), "hard negatives": {"hard negatives"}}
    rows = []
    for name, corpora in groups.items():
        cells = [name]
        for condition, found in wrong.items():
            cut = CONDITIONS[condition][1] or 0
            size = sum(f.corpus in corpora and len(f.text) > cut for f in [*held_out, *negatives])
            count = Count(sum(f.corpus in corpora for f, _ in found), size)
            cells.append(f"{count.hits} of {size:,} = {count.percent()} (≤ {100 * count.upper:.2f} %)")
        rows.append(cells)
    return (
        "## False positives on held-out code\n\nBy text. Behind each the exact one-sided 95 % upper bound (Clopper and Pearson), as if "
        f"functions of one file were independent. *Cut at a limit* means the first {CUT_CHARACTERS:,} characters of those "
        "that are longer; a table or a picture that is cut within its repetition can't be told from a loop.\n\n"
        + _table(["corpus", *wrong], rows)
    )


def _planted_table(judged: Sequence[Judged]) -> str:
    groups: dict[tuple[str, bool, str], list[Judged]] = defaultdict(list)
    for row in judged:
        groups[row.kind, row.noisy, row.mode].append(row)
    rows = []
    for kind in LOOPING:
        for noisy in (False, True):
            for mode in ("tokens", "text"):
                members = groups.get((kind, noisy, mode), [])
                if members:
                    found = [m for m in members if m.found]
                    rows.append(
                        [
                            kind, "1 in 20 changed" if noisy else "exact" if kind != "near" else "–", mode, f"{len(members):,}",
                            Count(len(found), len(members)).percent(),
                            Count(sum(m.kind_right for m in found), len(found)).percent(),
                            Count(sum(m.onset_right for m in found), len(found)).percent(),
                        ]
                    )  # fmt: skip
    return (
        "## Planted loops\n\nOnset 0 to 400 tokens, period 1 to 200 tokens, from 48 tokens and 150 characters to 1,024 "
        "tokens; cut at the limit, cut without saying so, or (not near ones) followed by other code. Kind and onset "
        "are of those that were found; the onset is right within one period.\n\n"
        + _table(["kind", "copies", "seen by", "planted", "found", "kind right", "onset right"], rows)
    )


def _rival_table(
    rivals: dict[str, tuple[int, int, int]],
    wrong: Sequence[tuple[Reference, str]],
    held_out: Sequence[Reference],
    negatives: Sequence[Reference],
    judged: Sequence[Judged],
) -> str:
    by_text = [j for j in judged if j.mode == "text"]
    hard = sum(f.corpus == "hard negatives" for f, _ in wrong)
    ours = (len(wrong) - hard, hard, sum(not j.found for j in by_text))
    rows = [
        [
            name,
            f"{a:,} = {Count(a, len(held_out)).percent()}",
            f"{b} = {Count(b, len(negatives)).percent()}",
            f"{c:,} = {Count(c, len(by_text)).percent()}",
        ]
        for name, (a, b, c) in {"**evalharness, by text**": ours, **rivals}.items()
    ]
    return "## Against what people use now\n\nThe same texts, without tokens.\n\n" + _table(
        ["detector", "false positives", "hard negatives", "planted loops missed"], rows
    )


def _origin_table(origins: dict[str, list[tuple[float, int]]], functions: int) -> str:
    rows = [
        [
            f"`{name}`",
            *(f"{value:g}: {hits}" + (" ←" if value == getattr(significance, name) else "") for value, hits in row),
        ]
        for name, row in origins.items()
    ]
    return (
        f"## Where the thresholds come from\n\nFalse positives among the {functions:,} functions of the calibration half "
        "with each threshold at several values, the others as they are; ← is the one in use. Where a row does not change, "
        "reference code does not set the threshold; its origin stands beside it in `significance.py`.\n\n"
        + _table(["threshold", *[""] * max(map(len, origins.values()))], rows)
    )


def _speed(out: Path) -> str:
    """Tokens a second on one core, and a figure of time against length."""
    draw = np.random.default_rng(0)
    completions = []
    for i in range(4_000):
        tail = np.tile(draw.integers(0, 8_000, 1 + i % 64), 256)
        completions.append(np.concatenate((draw.integers(0, 8_000, 256 if i % 2 else 20), tail))[:256].tolist())
    rate = max(4_000 * 256 / _seconds(completions) for _ in range(3))
    shapes = {"random": 0, "period 7": 7, "period 200": 200}
    times = {
        name: [
            min(_seconds([draw.integers(0, 8_000, n) if not p else np.tile(draw.integers(0, 8_000, p), n // p + 1)[:n]]) for _ in range(3))
            for n in LENGTHS
        ]
        for name, p in shapes.items()
    }  # fmt: skip
    _draw(times, out / "calibration_speed.svg")
    slopes = ", ".join(
        f"{name} {np.polyfit(np.log(LENGTHS[2:]), np.log(row[2:]), 1)[0]:.2f}" for name, row in times.items()
    )
    return (
        f"## Speed\n\nExact loops, runs and seq-rep of 4,000 completions of 256 tokens, half of them looping, on one core: "
        f"{rate / 1e6:.1f} million tokens a second. Time grows with the length to the power of (1 is linear, from 10,000 "
        f"tokens on): {slopes}.\n\n![time against length](calibration_speed.svg)"
    )


def _seconds(sequences: Sequence[Any]) -> float:
    start = time.perf_counter()
    find_loops_in(sequences, min_length=significance.MIN_TOKENS)
    longest_runs(sequences)
    seq_reps(sequences)
    return time.perf_counter() - start


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


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in ("evalharness", *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
