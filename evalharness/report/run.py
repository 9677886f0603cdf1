"""The report of a whole training run, as Markdown: what its author would have wanted to know on the day."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from evalharness.report import diagnosis, sections
from evalharness.report.agreement import Pair, agreements, discordances, losses_by_step
from evalharness.report.behaviour import Block, Shown
from evalharness.report.escaping import code, prose, table
from evalharness.report.markdown import environment
from evalharness.report.wording import (
    DECODINGS,
    degeneration_interval,
    kinds_by_count,
    loss_relation,
    loss_sentence,
    nats,
    nats_interval,
    percent,
    percent_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from evalharness.frames import RunFrames
    from evalharness.records import Interval, Scorecard
    from evalharness.statistics import Correlation, Discordance

SPIKE = 1.5
"""A logged validation loss that is this many times the one before is a spike: between two evaluations of a run that
goes well it moves by some percent."""
STEPS_SHOWN = 40
"""Rows of a table by step; of more steps the first and the last of these are shown."""


@dataclass(frozen=True, slots=True)
class OtherRun:
    """Another run beside this one: its name, its last scored step, and that step's scorecard."""

    name: str
    step: int
    card: Scorecard


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that the report of a run is made of.

    ``facts`` are ``(section, name, value)``, ``failures`` ``(step, reason)``, ``examples`` the laid-out completions of
    the last step, ``questions`` what each probe asks.
    """

    frames: RunFrames
    name: str
    path: str
    facts: tuple[tuple[str, str, str], ...]
    failures: tuple[tuple[int, str], ...]
    others: tuple[OtherRun, ...]
    examples: tuple[Shown, ...]
    questions: Mapping[str, str]

    @property
    def last(self) -> Scorecard:
        """The scorecard of the last step."""
        return self.frames.scorecards[max(self.frames.scorecards)]

    @property
    def last_step(self) -> int:
        """The last scored step."""
        return max(self.frames.scorecards)


def shown_from(row: Mapping[str, Any]) -> Shown:
    """One laid-out completion, from its row in ``examples.jsonl``."""
    blocks = {name: Block(**row[name]) for name in ("prompt", "expected", "generated")}
    return Shown(heading=row["heading"], tokens=row["tokens"], facts=row["facts"], **blocks)


def render_run(run: Run, figures: Mapping[str, str]) -> str:
    """Return ``report.md`` of a run. ``figures`` gives the path of each figure relative to it, by its name."""
    agreed, discordant = agreements(run.frames), discordances(run.frames)
    template = environment().get_template("run.md.j2")
    return template.render(
        run=run,
        card=run.last,
        headline=list(_headline(run)),
        facts=_facts(run),
        loss_table=_loss_table(run),
        loss_summary=list(_loss_summary(run)),
        behaviour_table=_behaviour_table(run),
        agreement=_agreement_table(agreed),
        agreement_notes=_agreement_notes(agreed),
        discordance=_discordance_table(discordant),
        steps=_step_table(discordant),
        format=list(_format(run)),
        others=_others(run),
        worked=list(_worked(run)),
        failed=list(_failed(run)),
        next_steps=list(_next_steps(run)),
        figures=figures,
        sections=sections,
        diagnosis=diagnosis,
        files=_files(run, figures),
    )


def _headline(run: Run) -> Iterator[str]:
    """The verdict in three lines: what the model does, what the loss is worth, and why."""
    card, verdicts = run.last, [c.verdict for c in run.frames.scorecards.values()]
    same = sum(verdict == card.verdict for verdict in verdicts)
    yield (
        f"**{card.verdict.upper()}** at step {run.last_step:,}, as at {same} of {len(verdicts)} scored steps: "
        f"{prose(card.verdict_reason)}."
    )
    validation = _validation(run.frames)
    fell = ""
    if len(validation) > 1:
        first, last = validation["loss_nats"].iloc[0], validation["loss_nats"].iloc[-1]
        fell = f"validation {nats(first)} → {nats(last)} nats ({_fall(first, last)}). "
    yield f"**Loss**: {fell}{loss_sentence(card.loss)}"
    cause = next((f for f in card.findings if f.severity == "cause"), None)
    yield f"**Cause**: {prose(cause.claim) if cause else f'none found; {len(card.ruled_out)} tests ruled others out.'}"


def _facts(run: Run) -> list[tuple[str, str]]:
    """The approach by section, each a table."""
    found: dict[str, list[list[str]]] = {}
    for section, name, value in run.facts:
        found.setdefault(section, []).append([prose(name), prose(value)])
    card = run.last.checkpoint
    found.setdefault("Model", []).extend([["Kind", prose(card.kind)], ["Parameters", f"{card.parameters:,}"]])
    return [(section, table(["What", "As read"], rows)) for section, rows in found.items()]


def _validation(frames: RunFrames) -> pd.DataFrame:
    points = frames.losses[frames.losses["split"] == "validation"]
    return points.dropna(subset=["loss_nats"]).sort_values("step", kind="stable")


def _loss_table(run: Run) -> str:
    """The losses by step: as logged, with the lowest validation loss marked, and as measured where it was scored."""
    frames = run.frames
    validation = {int(p.step): float(p.loss_nats) for p in _validation(frames).itertuples()}
    train = frames.losses[frames.losses["split"] == "train"].dropna(subset=["loss_nats"])
    measured = losses_by_step(frames)
    steps = sorted({*validation, *frames.scorecards})
    if not steps:
        return ""
    best = min(validation, key=lambda step: (validation[step], step), default=None)
    rows = []
    for step in _few(steps):
        before = train[train["step"] <= step]["loss_nats"]
        status = ["initial"] * (step == steps[0]) + ["best"] * (step == best) + ["final"] * (step == steps[-1])
        value = validation.get(step)
        shown = "–" if value is None else f"**{nats(value)}**" if step == best else nats(value)
        rows.append(
            [f"{step:,}", nats(before.iloc[-1]) if len(before) else "–", shown]
            + [_cell(measured, step, name) for name in ("recomputed", "honest")]
            + [", ".join(status) or "–"]
        )
    header = ["Step", "Train", "Validation", "Recomputed", "Honest", "Status"]
    return table(header, rows, frozenset({0, 1, 2, 3, 4}))


def _few(steps: Sequence[int]) -> list[int]:
    half = STEPS_SHOWN // 2
    return list(steps) if len(steps) <= STEPS_SHOWN else [*steps[:half], *steps[-half:]]


def _cell(measured: pd.DataFrame, step: int, name: str) -> str:
    if name not in measured or step not in measured.index:
        return "–"
    value = float(measured.loc[step, name])
    return nats(value) if isfinite(value) else "–"


def _loss_summary(run: Run) -> Iterator[str]:
    """Reduction, best, and whether anything went wrong in the curve."""
    for split, name in (("train", "Training"), ("validation", "Validation")):
        points = run.frames.losses[run.frames.losses["split"] == split]
        finite = points.dropna(subset=["loss_nats"]).sort_values("step", kind="stable")
        odd = len(points) - len(finite)
        if len(finite) < 2:
            said = "not logged" if not len(points) else f"{len(points)} logged"
            yield f"{name} loss: {said}{f', {odd} of them NaN or infinite' if odd else ''}."
            continue
        values = finite["loss_nats"].to_list()
        best = finite.loc[finite["loss_nats"].idxmin()]
        spikes = sum(later > SPIKE * before for before, later in pairwise(values)) if split == "validation" else None
        parts = [
            f"{nats(values[0])} → {nats(values[-1])} nats ({_fall(values[0], values[-1])})",
            f"lowest {nats(float(best['loss_nats']))} at step {int(best['step']):,}",
            *([] if spikes is None else [f"{spikes} spikes"]),
            *([f"{odd} NaN or infinite"] if odd else ["none NaN or infinite"]),
        ]
        yield f"{name} loss: {', '.join(parts)}."


def _fall(first: float, last: float) -> str:
    if first <= 0:
        return f"{last - first:+.3g} nats"
    change = 100 * (last - first) / first
    return f"{abs(change):.0f} % {'lower' if change <= 0 else 'higher'}"


def _behaviour_table(run: Run) -> str:
    cards = run.frames.scorecards
    columns = [
        (info.name, decoding)
        for info in run.last.protocol.problems
        for decoding in DECODINGS
        if "1" in run.last.pass_at_k.get(info.name, {}).get(decoding, {})
    ]
    decodings = [decoding for decoding in DECODINGS if decoding in run.last.degeneration]
    header = ["Step", "Verdict", *(f"{prose(name)}, {decoding}, pass@1" for name, decoding in columns)]
    header += [*(f"Degenerate, {decoding}" for decoding in decodings), "Commonest kinds, sampled", "Cause"]
    rows = []
    for step in _few(sorted(cards)):
        card = cards[step]
        rate = card.degeneration.get("sampled") or card.degeneration.get("greedy")
        cause = next((f.probe for f in card.findings if f.severity == "cause"), None)
        rows.append(
            [
                f"{step:,}",
                card.verdict,
                *(_share(card.pass_at_k.get(name, {}).get(decoding, {}).get("1")) for name, decoding in columns),
                *(
                    _share(degeneration_interval(card.degeneration[d]) if d in card.degeneration else None)
                    for d in decodings
                ),
                prose(kinds_by_count(rate)) if rate is not None and rate.kinds else "–",
                code(cause) if cause else "none found",
            ]
        )
    return table(header, rows, frozenset({0, *range(2, 2 + len(columns) + len(decodings))}))


def _share(interval: Interval | None) -> str:
    return "–" if interval is None else percent_interval(interval)


def _agreement_table(pairs: Sequence[Pair]) -> str:
    """Correlations that could be computed; those that could not are counted below the table, with their reasons."""
    known = [p for p in pairs if p.agreement.levels.rho is not None or p.agreement.changes.rho is not None]
    rows = [
        [
            prose(p.loss),
            prose(p.behaviour),
            str(p.agreement.levels.points),
            _rho(p.agreement.levels),
            _rho(p.agreement.changes),
        ]
        for p in known
    ]
    header = ["Loss", "Behaviour", "Steps", "Spearman, levels", "Spearman, changes"]
    return table(header, rows, frozenset({2, 3, 4})) if rows else ""


def _rho(found: Correlation) -> str:
    if found.rho is None:
        return f"– ({prose(found.reason or '')})"
    return f"{found.rho.estimate:+.2f} [{found.rho.low:+.2f}, {found.rho.high:+.2f}]"


def _agreement_notes(pairs: Sequence[Pair]) -> list[str]:
    """Why there is no correlation where there is none, each reason once with what it holds for."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for pair in pairs:
        levels = pair.agreement.levels
        if levels.rho is None and pair.agreement.changes.rho is None:
            reasons.setdefault(levels.reason or "", {}).setdefault(pair.behaviour, []).append(pair.loss)
    every = {pair.loss for pair in pairs}
    return [
        f"{prose(reason)}: {'; '.join(prose(name) + _against(losses, every) for name, losses in found.items())}"
        for reason, found in reasons.items()
    ]


def _against(losses: Sequence[str], every: set[str]) -> str:
    return "" if set(losses) == every else f" against the loss {prose(' and '.join(losses))}"


def _discordance_table(found: Mapping[str, Discordance]) -> str:
    rows = [
        [
            prose(name),
            f"{item.pairs} of {item.of_pairs}",
            "no such pair" if item.share is None else percent_interval(item.share),
        ]
        for name, item in found.items()
    ]
    header = ["Behaviour", "Pairs of steps whose loss improved", "Of these, behaviour did not"]
    return table(header, rows, frozenset({1, 2})) if rows else ""


def _step_table(found: Mapping[str, Discordance]) -> str:
    """From step to step: what the recomputed loss did, and what each measure of behaviour did, both paired."""
    if not found:
        return ""
    names, first = list(found), next(iter(found.values()))
    rows = []
    for i, change in enumerate(first.changes[:STEPS_SHOWN]):
        loss = f"{change.loss_nats.estimate:+.3g} [{change.loss_nats.low:+.3g}, {change.loss_nats.high:+.3g}]"
        said = [_changed(found[name].changes[i].behaviour_improved) for name in names]
        rows.append([f"{change.from_step:,} → {change.to_step:,}", loss, *said])
    return table(["Steps", "Recomputed loss (nats)", *map(prose, names)], rows, frozenset({1}))


def _changed(improved: bool | None) -> str:
    return "not told apart" if improved is None else "better" if improved else "worse"


def _format(run: Run) -> Iterator[str]:
    """How the prompts of training and of scoring compare, and what the rows end in, from the probes' evidence."""
    evidence = _evidence(run.last, "prompt_format")
    if "training_prompts_end_with" in evidence:
        begin, end = evidence.get("training_prompts_begin_with", ""), evidence["training_prompts_end_with"]
        yield f"Prompts of the training rows all begin with {code(begin)} and end with {code(end)}."
        asked = evidence.get("problems")
        yield (
            f"Of {asked} prompts as scored {evidence.get('scored_prompts_that_begin_so')} begin and "
            f"{evidence.get('scored_prompts_that_end_so')} end so."
        )
    chain = _evidence(run.last, "last_position")
    if "token" in chain:
        share, token = percent(chain["rows_ending_in_it"] / chain["training_rows"]), chain["token"]
        written = percent(chain["generated_share"])
        yield f"{share} of the training rows end in token {token}; {written} of what is generated is that token."
    boundary = next((o for o in _outcomes(run.last) if o.probe == "token_boundary" and hasattr(o, "claim")), None)
    if boundary is not None:
        yield prose(boundary.claim)


def _outcomes(card: Scorecard) -> tuple[Any, ...]:
    return (*card.findings, *card.ruled_out)


def _evidence(card: Scorecard, probe: str) -> Mapping[str, Any]:
    return next((o.evidence for o in _outcomes(card) if o.probe == probe), {})


def _others(run: Run) -> str:
    """This run beside the others in the folder: the same figures, each at its last step."""
    if not run.others:
        return ""
    every = [*run.others, OtherRun(run.name, run.last_step, run.last)]
    rows = [_other(item, item.name == run.name) for item in sorted(every, key=lambda item: item.name)]
    header = ["Run", "Step", "Verdict", "Logged", "Honest", "Best pass@1", "Degenerate, sampled", "Cause"]
    return table(header, rows, frozenset({1, 3, 4, 5, 6}))


def _other(item: OtherRun, own: bool) -> list[str]:
    card = item.card
    passed = [by_k["1"] for sets in card.pass_at_k.values() for by_k in sets.values() if "1" in by_k]
    cause = next((f.probe for f in card.findings if f.severity == "cause"), None)
    sampled = card.degeneration.get("sampled")
    return [
        f"**{prose(item.name)}**" if own else prose(item.name),
        f"{item.step:,}",
        card.verdict,
        "–" if card.loss.logged_nats is None else nats(card.loss.logged_nats),
        "–" if card.loss.honest_nats is None else nats_interval(card.loss.honest_nats),
        _share(max(passed, key=lambda share: share.estimate, default=None)),
        _share(None if sampled is None else degeneration_interval(sampled)),
        code(cause) if cause else "none found",
    ]


def _worked(run: Run) -> Iterator[str]:
    """What the records show to be in order."""
    card, frames = run.last, run.frames
    yield f"{len(frames.scorecards)} of {len(frames.scorecards) + len(run.failures)} checkpoints load and were scored."
    validation = _validation(frames)["loss_nats"].to_list()
    if len(validation) > 1 and validation[-1] < validation[0]:
        yield f"The validation loss fell from {nats(validation[0])} to {nats(validation[-1])} nats."
    if loss_relation(card.loss) == "agree":
        yield "The loss is real: it is the same from prefixes alone."
    if card.verdict == "healthy":
        yield "No collapse: the completions are not degenerate beyond what small sound models are."
    passed = [
        (f"{name}, {decoding}", by_k["1"])
        for name, sets in card.pass_at_k.items()
        for decoding, by_k in sets.items()
        if "1" in by_k and by_k["1"].low > 0
    ]
    for name, share in passed:
        yield f"Problems are solved: {prose(name)}, pass@1 {percent_interval(share)}."
    for cleared in card.ruled_out:
        yield f"{prose(cleared.claim)} ({code(cleared.probe)})"


def _failed(run: Run) -> Iterator[str]:
    """What the records show not to be."""
    card = run.last
    if card.verdict != "healthy":
        yield f"The model is {card.verdict}: {prose(card.verdict_reason)}."
    unsolved = [
        f"{name}, {decoding} {percent_interval(by_k['1'])}"
        for name, sets in card.pass_at_k.items()
        for decoding, by_k in sets.items()
        if "1" in by_k and by_k["1"].estimate == 0
    ]
    if unsolved:
        yield f"No problem is solved: pass@1 of {prose('; '.join(unsolved))}."
    if loss_relation(card.loss) == "misleads":
        yield prose(loss_sentence(card.loss))
    for finding in card.findings:
        if finding.severity != "note":
            yield f"{prose(finding.claim)} ({code(finding.probe)}, {finding.severity})"
    for step, reason in run.failures:
        yield f"Step {step:,} could not be scored: {prose(reason)}"


def _next_steps(run: Run) -> Iterator[str]:
    """What the findings say to do, the cause first."""
    for finding in run.last.findings:
        yield f"{prose(finding.remedy)} ({code(finding.probe)})"


def _files(run: Run, figures: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        *((f"step_{step}/report.md", "the report of this step") for step in sorted(run.frames.scorecards)),
        ("run.json", "what is known of the run beside its scores"),
        ("log.jsonl", "the losses as they were read from the training logs"),
        *((path, "figure") for _, path in sorted(figures.items())),
    ]
