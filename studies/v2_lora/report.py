"""Writes the study's report: its introduction, the write-up's claims with what was measured, and every series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from claims import CLAIMS, Forgetting, Study, interval, nats, share

from evalharness import load_run
from evalharness.report.figures import run_figures

if TYPE_CHECKING:
    from evalharness.runs.frames import RunFrames

HERE = Path(__file__).resolve().parent
SERIES = {
    "v1_leaky": "base without a mask",
    "v1_causal": "base with a mask",
    "v2_leaky": "LoRA over the base without a mask",
    "v2_causal": "LoRA over the base with a mask",
    "v2_few": "the same on the first 49 rows",
    "v1_repaired": "the base without a mask, trained on with one",
}
FIGURES = ("v2_leaky", "v2_causal", "v1_repaired")


def write_report(out: Path, target: Path) -> None:
    """Write ``report.md`` and its figures from the records in ``out``."""
    study = read_study(out)
    (target / "figures").mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        figure = run_figures.loss_and_behaviour_figure(study.runs[name])
        if figure is not None:
            (target / "figures" / f"{name}.svg").write_bytes(figure)
    (target / "report.md").write_text("\n\n".join(parts(study)) + "\n", encoding="utf-8")


def read_study(out: Path) -> Study:
    losses = {path.parent.name: path for path in out.glob("v2_*/library_loss.jsonl")}
    return Study(
        {name: load_run(out / "reports" / name) for name in SERIES},
        {name: forgetting(path) for name, path in losses.items()},
    )


def forgetting(path: Path) -> Forgetting:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    by_step = {row["step"]: row["nats_per_token"] for row in rows}
    return Forgetting(by_step[min(by_step)], by_step[max(by_step)])


def parts(study: Study) -> list[str]:
    """The report, part by part."""
    introduction = (HERE / "introduction.md").read_text(encoding="utf-8").strip()
    shown = [f"![{SERIES[name]}: losses and behaviour by step](figures/{name}.svg)" for name in FIGURES]
    series = [f"### {name}: {words}\n\n{table(study.runs[name])}" for name, words in SERIES.items()]
    return [introduction, "## The claims", claims_table(study), "## The series", *shown, *series]


def claims_table(study: Study) -> str:
    answered = [(claim.said, claim.answer(study)) for claim in CLAIMS]
    rows = [f"| {said} | {answer.status} | {answer.evidence} |" for said, answer in answered]
    return "\n".join(["| the write-up says | it is | measured |", "| --- | --- | --- |", *rows])


def table(run: RunFrames) -> str:
    head = "| step | logged | honest | degenerate | warmup pass@1 | HumanEval pass@1 | cause |"
    lines = [head, "| ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    for _, row in run.checkpoints.sort_values("step").iterrows():
        shares = [share(row, name) for name in ("degenerate_sampled", *PASSES)]
        lines.append(
            f"| {row['step']:,.0f} | {nats(row['logged_nats'])} | {interval(row, 'honest_nats')} | "
            f"{' | '.join(shares)} | {row['cause'] or 'none found'} |"
        )
    return "\n".join(lines)


PASSES = ("warmup_sampled_pass_at_1", "humaneval_sampled_pass_at_1")
