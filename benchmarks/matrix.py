# ruff: noqa: E402, E501 - the plants are those of the tests; the sentences of the result read best whole
"""The matrix of planted faults: every probe of the diagnosis, on models with one fault and on models with none.

    python benchmarks/matrix.py [--only WORDS ...] [--out docs/measured]

The models are those of ``tests/diagnosis``: ``plants.py`` has the faults, ``sound_models.py`` the models in health. Each
gets what it lacks (problems, what it writes for them, a log), so that no probe goes without. Writes OUT/matrix.md and
OUT/matrix.json with every finding. ``--only`` takes those whose name holds one of the words. Needs the tests' packages.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tables import table

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured
from evalharness.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalharness.diagnosis.examination import Diagnosis
    from evalharness.diagnosis.subject import Subject

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "diagnosis"))
from plants import PLANTS
from sound_models import SOUND
from whole import whole

THREADS = 1
"""Of so small a model two threads are no faster, and much slower where others use the machine."""


@dataclass(frozen=True, slots=True)
class Named:
    """A finding, as the report has it."""

    probe: str
    severity: str
    claim: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What all probes said of one model. ``planted`` are the probes that have to come first, in this order."""

    name: str
    planted: tuple[str, ...]
    family: str
    lie: str
    findings: tuple[Named, ...]
    ruled_out: tuple[str, ...]
    not_testable: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float

    @property
    def is_first(self) -> bool:
        """Whether the planted fault is the first finding."""
        return tuple(f.probe for f in self.findings[: len(self.planted)]) == self.planted

    @property
    def other_causes(self) -> list[str]:
        """Causes that nobody planted."""
        return [f.probe for f in self.findings if f.severity == "cause" and f.probe not in self.planted]

    @property
    def beside(self) -> list[Named]:
        """What else was found, of lower severity."""
        return [f for f in self.findings if f.severity != "cause" and f.probe not in self.planted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="words of which a name holds one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    begun = time.perf_counter()
    plants = [
        _examined(name, plant.make, (*([plant.behind] if plant.behind else []), plant.probe), plant.family, plant.lie)
        for name, plant in PLANTS.items()
        if any(words in name for words in arguments.only)
    ]
    sound = [
        _examined(name, make, (), "", "")
        for name, make in SOUND.items()
        if any(words in name for words in arguments.only)
    ]
    seconds = time.perf_counter() - begun
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "matrix.md").write_text(_report(plants, sound, seconds), encoding="utf-8")
    found = {"seconds": seconds, "plants": [asdict(p) for p in plants], "sound": [asdict(s) for s in sound]}
    (arguments.out / "matrix.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(_summary(plants, sound))


def _examined(name: str, make: Callable[[], Subject], planted: tuple[str, ...], family: str, lie: str) -> Examined:
    begun = time.perf_counter()
    found = examine(Measured(whole(make())), catalogue())
    seconds = time.perf_counter() - begun
    said = ", ".join(f"{f.probe} ({f.severity})" for f in found.findings) or "nothing"
    print(f"{seconds:6.1f} s  {name}: {said}", file=sys.stderr, flush=True)
    return _of(found, name, planted, family, lie, seconds)


def _of(found: Diagnosis, name: str, planted: tuple[str, ...], family: str, lie: str, seconds: float) -> Examined:
    return Examined(
        name=name,
        planted=planted,
        family=family,
        lie=lie,
        findings=tuple(Named(f.probe, f.severity, f.claim) for f in found.findings),
        ruled_out=tuple(dict.fromkeys(outcome.probe for outcome in found.ruled_out)),
        not_testable=tuple(dict.fromkeys(outcome.probe for outcome in found.not_testable)),
        failed=tuple(map(str, found.incomplete)),
        seconds=round(seconds, 1),
    )


def _summary(plants: Sequence[Examined], sound: Sequence[Examined]) -> str:
    return "\n".join(
        [
            f"- The planted fault is the first finding: {_share(sum(p.is_first for p in plants), len(plants))}",
            f"- A cause is named beside the planted fault: {_share(sum(bool(p.other_causes) for p in plants), len(plants))}",
            f"- A cause is named in a sound model: {_share(sum(bool(s.other_causes) for s in sound), len(sound))}",
        ]
    )


def _share(hits: int, of: int) -> str:
    if not of:
        return "–"
    interval = wilson(hits, of)
    return f"{hits} of {of} = {100 * hits / of:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _report(plants: Sequence[Examined], sound: Sequence[Examined], seconds: float) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("evalharness", "torch", "transformers", "peft"))
    lying = [p for p in plants if p.lie]
    return (
        "\n\n".join(
            [
                "# The matrix of planted faults",
                f"Made by `python benchmarks/matrix.py` in {seconds / 60:.0f} minutes, training included, in one process of one thread. Python {platform.python_version()}, {versions}.",
                f"All {len(catalogue())} probes of the catalogue were asked about each of {len(plants)} models with a fault built in and {len(sound)} models with none. The faults are in two families of model, a plain module (*plain*) and a small Hugging Face Llama (*llama*), and where a form asks for it in others. No fault is declared: a probe sees the model, its tokenizer, rows, a log, problems and what the model wrote for them. Probes were mended on these very models, so the shares say what is left to mend here, and not how often a probe errs elsewhere.",
                _summary(plants, sound) + "\n\nBehind each share its 95 % interval (Wilson).",
                "## By probe\n\nHow often each probe's fault was planted and found first; and how often the probe named something in a model in which its fault was not planted. Such a finding may well be true of that model: a model that was trained for seconds is undertrained, whatever else was done to it. None of them is a cause, unless the table says so.",
                _by_probe(plants, sound),
                "## The planted faults",
                _plant_table(plants),
                _lies(lying),
                "## The sound models\n\nA cause in any of these would be a false alarm. What else was found in them is in the last column.",
                _sound_table(sound),
                "## What was found beside\n\nEvery finding below a cause that nobody planted, in the words of the probe.",
                _beside([*plants, *sound]),
                _failures([*plants, *sound]),
            ]
        ).rstrip()
        + "\n"
    )


def _by_probe(plants: Sequence[Examined], sound: Sequence[Examined]) -> str:
    beside = Counter((f.probe, f.severity) for e in (*plants, *sound) for f in e.beside)
    causes = Counter(probe for e in (*plants, *sound) for probe in e.other_causes)
    rows = []
    for probe in catalogue():
        own = [p for p in plants if p.planted[-1] == probe.name]
        rows.append(
            [
                f"`{probe.name}`",
                probe.at_most,
                str(len(own)),
                str(sum(p.is_first for p in own)),
                str(causes[probe.name]),
                str(beside[probe.name, "contributing"]),
                str(beside[probe.name, "note"]),
                str(sum(probe.name in e.ruled_out for e in (*plants, *sound))),
                str(sum(probe.name in e.not_testable for e in (*plants, *sound))),
            ]
        )
    head = [
        "probe",
        "at most",
        "planted",
        "found first",
        "elsewhere a cause",
        "contributing",
        "a note",
        "cleared",
        "not testable",
    ]
    return table(head, rows)


def _plant_table(plants: Sequence[Examined]) -> str:
    rows = [
        [
            p.name.partition(": ")[2],
            p.family,
            " behind ".join(f"`{probe}`" for probe in reversed(p.planted)),
            _named(p.findings[:1]),
            "yes" if p.is_first else "**no**",
            ", ".join(f"**`{probe}`**" for probe in p.other_causes) or "none",
            _named(p.beside),
            f"{p.seconds:.0f}",
        ]
        for p in plants
    ]
    return table(["fault", "family", "planted", "first finding", "as planted", "other causes", "beside", "s"], rows)


def _lies(lying: Sequence[Examined]) -> str:
    lies = "; ".join(f"*{p.name}*: {p.lie}" for p in lying)
    return f"{len(lying)} manifests lie about the loss: {lies}." if lying else "No manifest lies."


def _sound_table(sound: Sequence[Examined]) -> str:
    rows = [
        [
            s.name,
            ", ".join(f"**`{probe}`**" for probe in s.other_causes) or "none",
            str(len(s.ruled_out)),
            _named(s.beside),
            f"{s.seconds:.0f}",
        ]
        for s in sound
    ]
    return table(["model", "causes", "probes that cleared it", "beside", "s"], rows)


def _named(findings: Iterable[Named]) -> str:
    return ", ".join(f"`{f.probe}` ({f.severity})" for f in findings) or "none"


def _beside(examined: Sequence[Examined]) -> str:
    return (
        "\n".join(f"- *{e.name}*: `{f.probe}` ({f.severity}). {f.claim}" for e in examined for f in e.beside)
        or "Nothing."
    )


def _failures(examined: Sequence[Examined]) -> str:
    lines = [f"- *{e.name}*: {line}" for e in examined for line in e.failed]
    return "\n".join(["## Probes that failed inside", "", *lines]) if lines else ""


if __name__ == "__main__":
    main()
