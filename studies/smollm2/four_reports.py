"""Writes the study's report from the four scorecards: what each way came to, and what its report names first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ways import TRAININGS, WAYS, Training, Way
from ways_picture import overview_of_ways

from evalharness.records import Finding, Interval, Scorecard
from evalharness.runs import paths, scorecard_json

HERE = Path(__file__).resolve().parent
PROBLEMS = "warmup"
BASE = "SmolLM2-135M-Instruct"
ALT = "The validation losses of the three trainings by step, and what each way solves and degenerates into."


@dataclass(frozen=True, slots=True)
class Scored:
    """One way with its scorecard, and the folder of its report."""

    way: Way
    card: Scorecard
    folder: Path

    @property
    def first(self) -> Finding | None:
        """The first finding that is more than a note."""
        return next((finding for finding in self.card.findings if finding.severity != "note"), None)

    @property
    def is_named(self) -> bool:
        """Whether the report names first what was done, and nothing where nothing was."""
        return (None if self.first is None else self.first.probe) == self.way.cause

    @property
    def solved(self) -> Interval:
        """Greedy pass@1."""
        return self.card.pass_at_k[PROBLEMS]["greedy"]["1"]

    @property
    def degenerate(self) -> Interval:
        """The share of sampled completions that are degenerate."""
        sampled = self.card.degeneration["sampled"]
        return Interval(sampled.rate, sampled.low, sampled.high)


def write_study(out: Path, target: Path) -> None:
    """Write ``report.md`` with its picture and the four reports that it links."""
    target.mkdir(parents=True, exist_ok=True)
    scored = [read_scored(out, way) for way in WAYS]
    for item in scored:
        (target / item.way.name).mkdir(exist_ok=True)
        text = (item.folder / "report.md").read_text(encoding="utf-8")
        text = without_pictures(text, out).replace(base_of(out, item.way.training), BASE)
        (target / item.way.name / "report.md").write_text(text, encoding="utf-8")
    trainings = [logged(out, training) for training in TRAININGS]
    (target / "overview.svg").write_bytes(overview_of_ways(trainings, scored))
    introduction = (HERE / "introduction.md").read_text(encoding="utf-8").strip()
    parts = [introduction, "## What came of it", f"![{ALT}](overview.svg)", ways_table(scored)]
    parts += ["## What the trainers logged", losses_table(trainings)]
    parts += ["## What each report names first", *map(named, scored)]
    (target / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def without_pictures(report: str, out: Path) -> str:
    """The report of a step without its pictures, which are large, and with paths from ``out`` on."""
    lines = [line for line in report.splitlines(keepends=True) if not line.startswith("![")]
    return "".join(lines).replace(f"{out}/", "")


def base_of(out: Path, training: Training) -> str:
    """The base as the training's adapters name it: a folder of this machine, or the hub's name."""
    configuration = next((out / training.name).glob("checkpoint-*/adapter_config.json"))
    return str(json.loads(configuration.read_text(encoding="utf-8"))["base_model_name_or_path"])


def read_scored(out: Path, way: Way) -> Scored:
    """Raises FileNotFoundError where a way was not scored yet."""
    cards = sorted((out / "reports" / way.name).glob(f"*/*/{paths.SCORECARD}"))
    if not cards:
        raise FileNotFoundError(f"{out / 'reports' / way.name}: no scorecard; run make.py --only score first")
    folder = cards[-1].parent
    return Scored(way, scorecard_json.read(folder), folder)


def ways_table(scored: list[Scored]) -> str:
    head = "| way | logged | honest | greedy pass@1 | degenerate | end by themselves | named first | as expected |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |"]
    for item in scored:
        card, sampled = item.card, item.card.degeneration["sampled"]
        logged_nats = "–" if card.loss.logged_nats is None else f"{card.loss.logged_nats:.3f}"
        cells = (
            f"[{item.way.name}]({item.way.name}/report.md): {item.way.words}",
            logged_nats,
            nats(card.loss.honest_nats),
            share(item.solved),
            share(item.degenerate),
            share(sampled.shares["ended_by_itself"]),
            "nothing" if item.first is None else f"`{item.first.probe}`",
            "yes" if item.is_named else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Logged:
    """The validation losses (nats per token) that a trainer logged, by step."""

    training: Training
    by_step: dict[int, float]


def logged(out: Path, training: Training) -> Logged:
    states = sorted((out / training.name).glob("checkpoint-*/trainer_state.json"), key=lambda p: p.stat().st_mtime)
    history = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
    return Logged(training, {entry["step"]: entry["eval_loss"] for entry in history if "eval_loss" in entry})


def losses_table(trainings: list[Logged]) -> str:
    steps = list(trainings[0].by_step)
    lines = [
        f"| validation loss, nats per token | rate | {' | '.join(f'step {step}' for step in steps)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in steps)} |",
    ]
    for item in trainings:
        losses = " | ".join(f"{item.by_step[step]:.3f}" if step in item.by_step else "–" for step in steps)
        lines.append(f"| `{item.training.name}` | {item.training.learning_rate:g} | {losses} |")
    return "\n".join(lines)


def named(item: Scored) -> str:
    """What a report names first, and what it says to do."""
    title = f"### {item.way.name}: {item.way.words}"
    if item.first is None:
        cleared = len({cleared.probe for cleared in item.card.ruled_out})
        notes = "".join(f"\n\nNote, `{note.probe}`: {note.claim}" for note in item.card.findings)
        return f"{title}\n\nNothing above a note: {cleared} hypotheses were tested and ruled out.{notes}"
    also = [f"`{finding.probe}` ({finding.severity})" for finding in item.card.findings if finding is not item.first]
    more = f"\n\nAlso found: {', '.join(also)}." if also else ""
    first = item.first
    return f"{title}\n\n`{first.probe}`, {first.severity}: {first.claim}\n\nWhat to do: {first.remedy}{more}"


def nats(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} [{interval.low:.1%}, {interval.high:.1%}]"
