# ruff: noqa: E501 - the sentences of the result read best whole
"""What the detector of degeneration gets wrong: on reference code, and on loops that were planted.

    python benchmarks/calibrate.py [--functions N] [--plants N] [--negatives N] [--seed N] [--out docs/measured] [--no-speed]
    python benchmarks/calibrate.py --real FOLDER [--passed FOLDER] [--out docs/measured]

Writes OUT/calibration.md, OUT/calibration.json with every rate, false positive and miss, and OUT/calibration_speed.svg.
With ``--real`` it measures labelled real completions instead, and writes OUT/real_completions.md and .json.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import real
from corpora import PACKAGES, UNSEEN, Reference, hard_negatives, references
from judging import ERRORS_IN, MODES, Asked, Judged, evidence_against, judge, with_errors
from planted import LOOPING, Plant, plants
from rivals import RIVALS, SCORES
from speed import speed
from tables import Count, table
from thresholds import SWEPT, origin_table, swept
from whole_kinds import section as whole_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import StopReason

CUT_CHARACTERS = 1_000
"""A function that is longer is also tried cut here, as at a limit of about 256 tokens."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How reference code is shown: how it ended, where it was cut, by tokens or by text, and with errors or without."""

    stop_reason: StopReason | None = None
    cut: int = 0
    by_tokens: bool = False
    errors: bool = False

    def shown(self, function: Reference) -> Asked | None:
        """What is analysed of a function; None of one that is too short to be cut."""
        if len(function.text) <= self.cut:
            return None
        text = function.text[: self.cut or None]
        text = with_errors(text, len(text)) if self.errors else text
        return Asked(text, self.stop_reason, self.by_tokens)


CONDITIONS = {
    "end not known": Condition(),
    "ended by the model": Condition("end_token"),
    "cut at a limit": Condition("max_new_tokens", CUT_CHARACTERS),
    "by tokens": Condition(by_tokens=True),
    "by tokens, cut": Condition("max_new_tokens", CUT_CHARACTERS, by_tokens=True),
    "with errors": Condition(errors=True),
}

NEVER_LOOKED_AT = "**never looked at**"

Wrong = dict[str, list[tuple[Reference, str]]]


def main() -> None:
    asked = _arguments()
    out = Path(asked.out)
    if asked.real:
        said, result = real.section(real.rows_of(Path(asked.real), Path(asked.passed)))
        return _written(out, "real_completions", f"# Degeneration of real completions\n\n{said}", result)
    functions = references(asked.functions, asked.seed)
    calibration = [f for f in functions if not f.held_out]
    held_out = [f for f in functions if f.held_out]
    negatives = hard_negatives(asked.negatives)
    code = [f.text for f in held_out if "\n" in f.text and len(f.text) > 200]
    planted = plants(code, asked.plants, asked.seed)
    with ProcessPoolExecutor() as pool:
        wrong = {name: _false_positives(pool, held_out + negatives, how) for name, how in CONDITIONS.items()}
        judged = [row for rows in pool.map(judge, planted, chunksize=16) for row in rows]
        origins = swept(pool, [f.text for f in calibration], planted, CUT_CHARACTERS, min(SWEPT, asked.plants))
    without_loop, rates_without_loop = whole_kinds(functions, asked.plants, asked.seed)
    parts = [
        _introduction(len(calibration), len(held_out), len(negatives), len(planted)),
        _false_positive_table(wrong, held_out, negatives),
        _planted_table(judged),
        without_loop,
        _rival_table(_rivals(calibration, held_out, negatives, planted), wrong["end not known"], held_out, negatives, judged),
        origin_table(origins),
    ]  # fmt: skip
    result: dict[str, Any] = {
        "command": f"python benchmarks/calibrate.py --seed {asked.seed}",
        "versions": _versions(),
        "functions": {"calibration": len(calibration), "held out": len(held_out), "hard negatives": len(negatives)},
        "corpora": dict(Counter(f.corpus for f in held_out)),
        "false positive rates": {
            group: {name: count.as_json() for name, count in row.items()}
            for group, row in _rates(wrong, held_out, negatives).items()
        },
        "planted rates": [
            {"kind": kind, "noisy": noisy, "seen by": mode}
            | {name: count.as_json() for name, count in _right(members).items()}
            for (kind, noisy, mode), members in _grouped(judged).items()
        ],
        "kinds without a loop": rates_without_loop,
        "thresholds": [asdict(row) for row in origins],
        "false positives": {name: [asdict(f) | {"evidence": e, "text": ""} for f, e in w] for name, w in wrong.items()},
        "misses": [asdict(j) | {"text": j.text[-400:]} for j in judged if not j.found],
    }
    if asked.speed:
        said, result["speed"] = speed(out)
        parts.append(said)
    return _written(out, "calibration", "\n\n".join(parts), result)


def _written(out: Path, name: str, said: str, result: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(said + "\n", encoding="utf-8")
    (out / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    print(said)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=1_500, help="most functions of one corpus")
    parser.add_argument("--plants", type=int, default=200, help="planted loops of each kind, exact and noisy each")
    parser.add_argument("--negatives", type=int, default=160, help="repetitions in the largest hard negatives")
    parser.add_argument("--seed", type=int, default=2, help="0 is the one that thresholds were tried on")
    parser.add_argument("--real", metavar="FOLDER", help="labelled real completions to measure instead")
    parser.add_argument(
        "--passed",
        default=Path(tempfile.gettempdir(), "evalharness_passed"),
        metavar="FOLDER",
        help="keeps which of those pass their tests",
    )
    parser.add_argument("--out", default="docs/measured")
    parser.add_argument("--no-speed", dest="speed", action="store_false")
    return parser.parse_args()


def _false_positives(
    pool: ProcessPoolExecutor, functions: Sequence[Reference], how: Condition
) -> list[tuple[Reference, str]]:
    shown = [(function, asked) for function in functions if (asked := how.shown(function)) is not None]
    found = pool.map(evidence_against, [asked for _, asked in shown], chunksize=64)
    return [(function, evidence) for (function, _), evidence in zip(shown, found, strict=True) if evidence]


def _rivals(
    calibration: Sequence[Reference],
    held_out: Sequence[Reference],
    negatives: Sequence[Reference],
    planted: Sequence[Plant],
) -> dict[str, tuple[int, int, int]]:
    """For each rival: false positives on held-out code and on hard negatives, and misses among the plants."""
    texts = [[f.text for f in held_out], [f.text for f in negatives], [p.text for p in planted]]
    found_by: dict[str, tuple[int, int, int]] = {}
    for name, says in RIVALS.items():
        wrong, fooled, found = (sum(map(says, group)) for group in texts)
        found_by[name] = (wrong, fooled, len(planted) - found)
    for name, score in SCORES.items():
        threshold = float(np.quantile([score(f.text) for f in calibration], 0.999))
        wrong, fooled, found = (sum(score(text) > threshold for text in group) for group in texts)
        found_by[f"{name} ({threshold:.2f})"] = (wrong, fooled, len(planted) - found)
    return found_by


def _introduction(calibration: int, held_out: int, negatives: int, planted: int) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    return (
        "# Calibration of degeneration\n\n"
        f"Made by `python benchmarks/calibrate.py`. {held_out:,} functions of real code, {negatives} hard negatives and "
        f"{planted:,} planted loops; thresholds are swept on {calibration:,} functions of other files. The split is another one with "
        "each seed, and thresholds were set with other seeds than this one, so some of these files were looked at before; "
        f"*never looked at* are the packages that nothing was tried on: {', '.join(UNSEEN)}. A false positive is a function that is called degenerate; a miss is a "
        f"planted loop that is not. Every one of them is in `calibration.json`.\n\nVersions: {versions}."
    )


def _rates(wrong: Wrong, held_out: Sequence[Reference], negatives: Sequence[Reference]) -> dict[str, dict[str, Count]]:
    """False positives by corpus, by condition."""
    groups = {name: {name} for name in dict.fromkeys(f.corpus for f in held_out)}
    groups |= {
        NEVER_LOOKED_AT: set(UNSEEN),
        "**all reference code**": set(groups),
        "hard negatives": {"hard negatives"},
    }
    return {
        group: {
            name: Count(
                sum(f.corpus in corpora for f, _ in found),
                sum(f.corpus in corpora and len(f.text) > CONDITIONS[name].cut for f in [*held_out, *negatives]),
            )
            for name, found in wrong.items()
        }
        for group, corpora in groups.items()
    }


def _false_positive_table(wrong: Wrong, held_out: Sequence[Reference], negatives: Sequence[Reference]) -> str:
    rows = [
        [group, *(f"{c.hits} of {c.of:,} = {c.percent()} (≤ {100 * c.upper:.2f} %)" for c in row.values())]
        for group, row in _rates(wrong, held_out, negatives).items()
    ]
    return (
        "## False positives on held-out code\n\nBy text, and by the ids of a byte-level BPE tokenizer. Behind each the exact one-sided "
        "95 % upper bound (Clopper and Pearson), as if functions of one file were independent. *Cut at a limit* means the "
        f"first {CUT_CHARACTERS:,} characters of those that are longer; a table or a picture that is cut within its repetition "
        f"can't be told from a loop. *With errors*: one word or sign in {ERRORS_IN} is lost or in the place of another, so that "
        "nothing parses, and code of one shape is told from a loop with interruptions by what varies in it alone.\n\n"
        + table(["corpus", *wrong], rows)
    )


def _grouped(judged: Sequence[Judged]) -> dict[tuple[str, bool, str], list[Judged]]:
    groups: dict[tuple[str, bool, str], list[Judged]] = defaultdict(list)
    for kind in LOOPING:
        for noisy in (False, True):
            for mode in MODES:
                members = [j for j in judged if (j.kind, j.noisy, j.mode) == (kind, noisy, mode)]
                if members:
                    groups[kind, noisy, mode] = members
    return groups


def _right(members: Sequence[Judged]) -> dict[str, Count]:
    found = [m for m in members if m.found]
    return {
        "found": Count(len(found), len(members)),
        "kind right": Count(sum(m.kind_right for m in found), len(found)),
        "onset right": Count(sum(m.onset_right for m in found), len(found)),
    }


def _planted_table(judged: Sequence[Judged]) -> str:
    rows = [
        [kind, "1 in 20 changed" if noisy else "exact" if kind != "near" else "–", mode, f"{len(members):,}"]
        + [count.with_interval() for count in _right(members).values()]
        for (kind, noisy, mode), members in _grouped(judged).items()
    ]
    return (
        "## Planted loops\n\nOnset 0 to 400 tokens, period 1 to 200 tokens, from 48 tokens and 150 characters to 1,024 "
        "tokens; cut at the limit, cut without saying so, or (not near ones) followed by other code. They are planted in "
        "words, signs and blanks, and seen by those, by a byte-level BPE tokenizer's ids, and by the text alone. Kind and onset are of those that "
        "were found; the onset is right within one period. Behind each rate its exact 95 % interval (Clopper and Pearson).\n\n"
        + table(["kind", "copies", "seen by", "planted", "found", "kind right", "onset right"], rows)
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
    return "## Against what people use now\n\nThe same texts, without tokens.\n\n" + table(
        ["detector", "false positives", "hard negatives", "planted loops missed"], rows
    )


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in ("evalharness", "tokenizers", *PACKAGES, *UNSEEN):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
