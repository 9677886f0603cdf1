"""Writes the study's report: its introduction, the write-up's claims with what was measured, and every series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from claims import CLAIMS, Claim
from measured import SETS, Point, Study, change, read_tuning
from original import read_original
from picture import overview
from series import SERIES
from stages import ROW_LOSSES
from wording import difference, loss, nats, share

from evalharness import load_run
from evalharness.report.figures import run_figures

if TYPE_CHECKING:
    from evalharness.runs.frames import RunFrames

HERE = Path(__file__).resolve().parent
BY_STEP = ("v2_leaky",)
"""The series whose losses and behaviour are drawn by step."""
SHOWN = 60
"""Characters of a completion that the report shows."""


def write_report(out: Path, target: Path) -> None:
    """Write ``report.md`` and its figures into ``target`` from the records in ``out``."""
    study = read_study(out)
    (target / "figures").mkdir(parents=True, exist_ok=True)
    drawn = {name: run_figures.loss_and_behaviour_figure(study.runs[name]) for name in BY_STEP}
    for name, figure in ({"overview": overview(study)} | drawn).items():
        (target / "figures" / f"{name}.svg").write_bytes(figure)
    (target / "report.md").write_text("\n\n".join(parts(study)) + "\n", encoding="utf-8")


def read_study(out: Path) -> Study:
    return Study(
        {name: load_run(out / "reports" / name) for name in SERIES},
        {path.parent.name: read_tuning(path) for path in out.glob(f"*/{ROW_LOSSES}")},
        read_original(out / "original"),
    )


def parts(study: Study) -> list[str]:
    """The report, part by part."""
    answered = [answer(claim, study) for claim in CLAIMS]
    return [
        (HERE / "introduction.md").read_text(encoding="utf-8").strip(),
        "## The series",
        f"![{ALT}](figures/overview.svg)",
        last_steps(study),
        "## The claims",
        claims_table(study),
        *answered,
        "## The repair",
        repair(study),
        "## What they write",
        written(study),
        "## Every step",
        *(f"![{SERIES[name]}: losses and behaviour by step](figures/{name}.svg)" for name in BY_STEP),
        *(f"### {name}\n\n{words[0].upper()}{words[1:]}.\n\n{by_step(study, name)}" for name, words in SERIES.items()),
    ]


ALT = "For each series at its last step: the logged and the honest loss, and the share of loops of newlines."


def markdown_table(*rows: tuple[str, ...]) -> str:
    head, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *others))


def last_steps(study: Study) -> str:
    """Every series at its last step."""
    head = ("series", "what it is", *LOSSES, "cause")
    rows = [(f"`{name}`", words, *losses(study.last(name)), cause(study.last(name))) for name, words in SERIES.items()]
    return markdown_table(head, *rows)


LOSSES = ("logged", "honest", "newlines", "degenerate")


def losses(point: Point) -> tuple[str, ...]:
    return nats(point.logged), loss(point.honest), share(point.newlines), share(point.degenerate)


def cause(point: Point) -> str:
    return f"`{point.cause}`" if point.cause else "none found"


def claims_table(study: Study) -> str:
    rows = [(claim.said, f"**{claim.answer(study).status}**") for claim in CLAIMS]
    return markdown_table(("the write-up says", "it is"), *rows)


def answer(claim: Claim, study: Study) -> str:
    given = claim.answer(study)
    evidence = "\n".join(f"- {sentence}" for sentence in given.evidence)
    return f"### {claim.said}\n\n**{given.status.capitalize()}.** The rule: {claim.rule}\n\n{evidence}"


def repair(study: Study) -> str:
    """The repaired base by its steps with a mask, and the base that had one from the start, at its last step."""
    points = [study.at("v1_repaired", step) for step in study.steps("v1_repaired")]
    rows = [(f"put in, {point.step:,} steps", *losses(point)) for point in points]
    twin = study.last("v1_causal")
    apart = change(study.rows("v1_causal", twin.step), study.rows("v1_repaired", points[-1].step))
    return (
        f"{markdown_table(('mask', *LOSSES), *rows, (f'from the start, {twin.step:,} steps', *losses(twin)))}\n\n"
        f"At these last steps the repaired base's loss differs by {difference(apart)} nats, without label smoothing."
    )


def written(study: Study) -> str:
    """What every series writes greedily at its last step for the first problem of ``warmup``."""
    return markdown_table(
        ("series", "completion begins with"), *((f"`{name}`", first_greedy(study.runs[name])) for name in SERIES)
    )


def first_greedy(run: RunFrames) -> str:
    table = run.completions
    own = table[(table["step"] == run.last_step) & (table["decoding"] == "greedy") & (table["problems"] == "warmup")]
    shown = repr(own["text"].iloc[0][:SHOWN]).replace("|", "\\|")
    return f"`` {shown} ``"


def by_step(study: Study, name: str) -> str:
    head = (
        "step",
        "logged",
        "honest",
        "newlines",
        "degenerate",
        *(f"pass@1 on {problems}" for problems in SETS),
        "cause",
    )
    points = [study.at(name, step) for step in study.steps(name)]
    return markdown_table(head, *((f"{p.step:,}", *losses(p), *map(share, p.passes), cause(p)) for p in points))
