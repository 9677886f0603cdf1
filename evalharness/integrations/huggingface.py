"""A callback for the trainer of transformers."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch
from transformers import TrainerCallback

from evalharness.api import preflight
from evalharness.errors import EvalHarnessError
from evalharness.integrations.beside import Beside
from evalharness.pipeline import keep_data
from evalharness.trackers import figures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from evalharness.records import Scorecard
    from evalharness.settings.score import ScoreSettings

ROWS = 8
"""Rows of the training data that preflight is asked with."""


class EvalHarnessCallback(TrainerCallback):  # type: ignore[misc]
    """Runs preflight before the first step, and scores every ``every``-th save in a process beside training.

    The trainer's rows are kept in its output folder, as its collator puts them together, with an ``evalharness.toml``
    that names them: so the loss is recomputed on them, without a manifest of the user's. One that names ``[data]``
    comes first, and ``keep_data=False`` keeps none. The logged losses are those of the trainer's state, which lies in
    each checkpoint. The figures go to whatever the trainer logs to, under ``evalharness/``. With ``stop``, training
    does not begin if preflight finds a cause (:class:`evalharness.PreflightError`), and ends if a checkpoint collapsed
    or its diagnosis names a cause. ``settings`` are those of :func:`evalharness.score`.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        check: bool = True,
        stop: bool = True,
        keep_data: bool = True,
        every: int = 1,
        **settings: Unpack[ScoreSettings],
    ) -> None:
        self._trainer = trainer
        self._check = check
        self._stop = stop
        self._keeps_data = keep_data
        self._beside = Beside(every=every, **settings)
        self.scorecards: list[Scorecard] = []
        """All that were made, in the order in which they were finished."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep rows for the scores, and ask with the first of them, put together as training puts them together."""
        if self._keeps_data and state.is_world_process_zero:
            self._keep_data(Path(args.output_dir))
        if not self._check:
            return
        trainer = self._trainer
        with torch.random.fork_rng():
            batch = self._collate(list(islice(iter(trainer.train_dataset), ROWS)))
        device = next(trainer.model.parameters()).device
        batch = {name: value.to(device) for name, value in batch.items() if hasattr(value, "to")}
        diagnosis = preflight(trainer.model, batch, trainer.processing_class, check=self._stop)
        trainer.log({"evalharness/preflight_findings": len(diagnosis.findings)})

    def _collate(self, rows: list[Any]) -> Any:
        """As the trainer's own loader does it: columns that the model does not take are left out before collating."""
        without_others = getattr(self._trainer, "_get_collator_with_removed_columns", lambda collate: collate)
        return without_others(self._trainer.data_collator)(rows)

    def _keep_data(self, folder: Path) -> None:
        """Training goes on without: data sets and collators are the user's code, and may fail here."""
        sets = {"train": self._trainer.train_dataset, "validation": only_set(self._trainer.eval_dataset)}
        try:
            with torch.random.fork_rng():
                keep_data(folder, {name: rows for name, rows in sets.items() if rows is not None}, self._collate)
        except Exception as error:  # noqa: BLE001
            reason = str(error) if isinstance(error, EvalHarnessError) else f"{type(error).__name__}: {error}"
            warnings.warn(f"no data for the scores of {folder}: {reason}", stacklevel=2)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hand over the checkpoint that was just written."""
        self._tell(self._beside.saved(f"{args.output_dir}/checkpoint-{state.global_step}"), control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log what is finished by now."""
        self._tell(self._beside.finished(), control)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Wait for the last scores."""
        self._tell(self._beside.wait(), control)

    def _tell(self, cards: Iterable[Scorecard], control: TrainerControl) -> None:
        for card in cards:
            self.scorecards.append(card)
            self._trainer.log(figures(card))
            if self._stop and (card.verdict == "collapsed" or card.causes):
                control.should_training_stop = True
        while self._beside.faults:
            self._trainer.log({"evalharness/fault": self._beside.faults.pop(0)})


def only_set(data: Any) -> Any:
    """The validation data if they are one set; of several by name none is *the* validation data."""
    if not isinstance(data, dict):
        return data
    return next(iter(data.values())) if len(data) == 1 else None
