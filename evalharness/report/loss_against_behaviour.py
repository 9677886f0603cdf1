"""How far the losses of a run and its behaviour agree: from the frames of a run to the statistics of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.records import NOT_BEGUN
from evalharness.statistics import correlate, discordance

if TYPE_CHECKING:
    import pandas as pd

    from evalharness.runs.frames import RunFrames
    from evalharness.statistics import Agreement, Discordance


@dataclass(frozen=True, slots=True)
class Pair:
    """One loss against one measure of behaviour. Behaviour is a share of 1 where more is better."""

    loss: str
    behaviour: str
    agreement: Agreement


def agreements(frames: RunFrames, seed: int = 0) -> list[Pair]:
    """Correlate every loss with every measure of behaviour over the steps that have both."""
    losses = losses_by_step(frames)
    return [
        Pair(loss, name, correlate(matrix.to_numpy(), column.to_numpy(), seed=seed))
        for name, measured in behaviours(frames).items()
        for loss in losses.columns
        for column in [losses[loss].reindex(measured.index).dropna()]
        for matrix in [measured.loc[column.index]]
        if len(column)
    ]


def discordances(frames: RunFrames, seed: int = 0) -> dict[str, Discordance]:
    """By measure of behaviour, how often the recomputed loss improved by more than its error and behaviour did not."""
    rows = frames.row_losses.pivot_table(index="step", columns="row", values="parallel_nats").dropna(axis=1)
    targets = frames.row_losses.drop_duplicates("row").set_index("row")["targets"]
    by_measure = {}
    for name, measured in behaviours(frames).items():
        steps = [step for step in measured.index if step in rows.index]
        if len(steps) > 1 and rows.shape[1]:
            by_measure[name] = discordance(
                steps,
                rows.loc[steps].to_numpy(),
                measured.loc[steps].to_numpy(),
                targets=targets.loc[rows.columns].to_list(),
                seed=seed,
            )
    return by_measure


def behaviours(frames: RunFrames) -> dict[str, pd.DataFrame]:
    """By measure, the share of each problem at each step: ``(steps, problems)``, problems that every step has.

    What passes, by problem set and decoding; what is not degenerate, by decoding over all sets.
    """
    completions, shares = frames.numbered().completions, {}
    for (name, decoding), of_set in completions.groupby(["problems", "decoding"], sort=True):
        shares[f"{name} {decoding} pass@1"] = _by_problem(of_set.dropna(subset=["passed"]), "passed")
    for decoding, of_all in completions.groupby("decoding", sort=True):
        begun = of_all.dropna(subset=["degenerate"])
        begun = begun[~begun["stop_reason"].isin(NOT_BEGUN)]
        sound = begun.assign(sound=~begun["degenerate"].astype(bool))
        shares[f"{decoding} not degenerate"] = _by_problem(sound, "sound")
    return {name: measured for name, measured in shares.items() if measured.size}


def losses_by_step(frames: RunFrames) -> pd.DataFrame:
    """The losses (nats) of each scored step, a column a loss; NaN where one is not known.

    Of training the last one that was logged up to the step, of validation the one at it; recomputed is that of the
    parallel pass, honest that without future tokens.
    """
    import pandas as pd  # noqa: PLC0415 - only the report of a run needs frames

    frames = frames.numbered() if len(frames.checkpoints) > 1 else frames
    steps = frames.checkpoints["step"].to_list()
    checkpoints = frames.checkpoints.set_index("step")
    training = frames.losses[frames.losses["split"] == "train"].dropna(subset=["loss_nats"])
    columns = {
        "logged, training": [_last(training, step) for step in steps],
        "logged, validation": checkpoints["logged_nats"].to_list(),
        "recomputed": checkpoints["recomputed_nats"].to_list(),
        "honest": checkpoints["honest_nats"].to_list(),
    }
    losses = pd.DataFrame(columns, index=steps, dtype=float)
    return losses.dropna(axis=1, how="all")


def logged_points(frames: RunFrames, split: str) -> pd.DataFrame:
    """The finite losses of one split as they were logged, by step: columns ``step``, ``loss_nats``, ``source``.

    Where the training logs have no validation loss of a scored step, the one that its scorecard has from elsewhere (the
    checkpoint's own file) stands in.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    logged = frames.losses[frames.losses["split"] == split][["step", "loss_nats", "source"]]
    rows = [tuple(row) for row in logged.dropna(subset=["loss_nats"]).itertuples(index=False)]
    if split == "validation":
        logged_steps = {step for step, _, _ in rows}
        rows += [
            (step, card.loss.logged_nats, card.loss.logged_source)
            for step, card in frames.numbered().scorecards.items()
            if step not in logged_steps and card.loss.logged_nats is not None
        ]
    # Of one step the last one that was logged stays the last: the order is stable.
    return pd.DataFrame(rows, columns=["step", "loss_nats", "source"]).sort_values("step", kind="stable")


def no_losses(frames: RunFrames) -> bool:
    """Whether there is no loss at all, neither logged nor measured."""
    return not frames.losses["loss_nats"].notna().any() and losses_by_step(frames).empty


def decoding_of_kinds(frames: RunFrames) -> str:
    """The decoding whose kinds of degeneration are shown: sampled where there are such completions, else greedy."""
    return "sampled" if (frames.completions["decoding"] == "sampled").any() else "greedy"


def _last(losses: pd.DataFrame, step: int) -> float:
    logged = losses["loss_nats"][losses["step"] <= step]
    return float(logged.iloc[-1]) if len(logged) else np.nan


def _by_problem(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    shares = rows.assign(value=rows[column].astype(float))
    return shares.pivot_table(index="step", columns="task_id", values="value", aggfunc="mean").dropna(axis=1)
