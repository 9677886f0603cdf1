"""A callback for the trainer of transformers."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch
from transformers import TrainerCallback

from evalharness.api import stop_at_a_cause
from evalharness.errors import EvalHarnessError
from evalharness.integrations.beside import Beside
from evalharness.integrations.trackers import figures, log_page
from evalharness.pipeline import keep_data, preflight
from evalharness.progress import Lines, duration
from evalharness.runs.paths import step_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from evalharness.diagnosis import Diagnosis
    from evalharness.progress import Watcher
    from evalharness.records import Scorecard, Severity
    from evalharness.settings.score import ScoreSettings

ROWS = 8
"""Rows of the training data that preflight is asked with."""
WAIT_S = 600.0
"""How long the end of a training waits for its scores."""
SEVERITIES: dict[Severity, str] = {"cause": "causes", "contributing": "contributing", "note": "notes"}
"""By the severity of findings, the end of the name under which they are counted."""


class EvalHarnessCallback(TrainerCallback):  # type: ignore[misc]
    """Runs preflight before the first step, and scores every ``every``-th save in a process beside training.

    The trainer's rows are kept in its output folder, as its collator puts them together, with an ``evalharness.toml``
    that names them: so the loss is recomputed on them, without a manifest of the user's. One that names ``[data]``
    comes first, and ``keep_data=False`` keeps none. The logged losses are those of the trainer's state, which lies in
    each checkpoint. With ``stop``, training does not begin if preflight finds a cause
    (:class:`evalharness.PreflightError`), and ends if a checkpoint collapsed or its diagnosis names a cause.

    The figures go to whatever the trainer logs to, under ``evalharness/``, and each score's page to W&B, MLflow and
    Trackio where one of them has a run under way. What preflight finds, what is waited for and
    what came of each score are sentences of the logger ``evalharness.trainer``: causes and what contributes are
    warnings, the rest is information. Its lines go to stderr if logging is not configured. Findings are also in the
    trainer's ``state.log_history``.

    After training the last scores are waited for ``wait_s`` seconds, without end if None. What is not scored by then is
    named, and ended. ``settings`` are those of :func:`evalharness.score`. Of a training in several processes the first
    alone scores; all of them stop at the same step.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        check: bool = True,
        stop: bool = True,
        keep_data: bool = True,
        every: int = 1,
        wait_s: float | None = WAIT_S,
        **settings: Unpack[ScoreSettings],
    ) -> None:
        self._trainer = trainer
        self._check = check
        self._stop = stop
        self._keeps_data = keep_data
        self._wait_s = wait_s
        self._beside = Beside(every=every, **settings)
        self._out = Path(settings.get("out", "reports"))
        self._must_stop = False
        self.scorecards: list[Scorecard] = []
        """All that were made, in the order in which they were finished."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep rows for the scores, and ask with the first of them, put together as training puts them together."""
        logger = trainer_logger()
        with Lines(logger.info) as watcher:
            if self._keeps_data and state.is_world_process_zero:
                watcher.stage("keeping rows of the data for the scores", 1)
                self._keep_data(Path(args.output_dir))
            if not self._check:
                return
            diagnosis = self._preflight(watcher)
        if diagnosis is None:
            return
        if state.is_world_process_zero:
            self._tell_preflight(diagnosis, state)
        if self._stop:
            stop_at_a_cause(diagnosis, "stop=False")

    def _tell_preflight(self, diagnosis: Diagnosis, state: TrainerState) -> None:
        logger = trainer_logger()
        for finding in diagnosis.findings:
            told = f"{finding.severity}, {finding.probe}: {finding.claim} {finding.remedy}".rstrip()
            logger.log(logging.INFO if finding.severity == "note" else logging.WARNING, told)
            state.log_history.append({"step": state.global_step, "evalharness/preflight": told})
        if not diagnosis.findings:
            logger.info(f"preflight found nothing wrong; {len(diagnosis.ruled_out)} hypotheses are ruled out")
        counts = Counter(finding.severity for finding in diagnosis.findings)
        self._trainer.log({f"evalharness/preflight_{name}": counts[of] for of, name in SEVERITIES.items()})

    def _preflight(self, watcher: Watcher) -> Diagnosis | None:
        """Training goes on without, if its batch or its model is of a kind that can't be asked."""
        trainer = self._trainer
        try:
            with torch.random.fork_rng():
                batch = self._collate(list(islice(iter(trainer.train_dataset), ROWS)))
            if isinstance(batch, Mapping):
                device = next(trainer.model.parameters()).device
                batch = {name: value.to(device) for name, value in batch.items() if hasattr(value, "to")}
            return preflight(trainer.model, batch, trainer.processing_class, watcher=watcher)
        except Exception as error:  # noqa: BLE001 - collators and models are the user's code
            warnings.warn(f"preflight was left out: {_reason(error)}", stacklevel=2)
            return None

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
            warnings.warn(f"no data for the scores of {folder}: {_reason(error)}", stacklevel=2)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hand over the checkpoint that was just written; every process is told of it, and one scores it."""
        if state.is_world_process_zero:
            self._tell(self._beside.saved(f"{args.output_dir}/checkpoint-{state.global_step}"))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log what is finished by now, and end training if one of the scores says so."""
        self._tell(self._beside.finished())
        if self._stop and anywhere(self._must_stop, args.device) and not control.should_training_stop:
            trainer_logger().warning("training is stopped (stop=False lets it go on)")
            control.should_training_stop = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Wait for the last scores, no longer than asked for."""
        logger, left = trainer_logger(), self._beside.left()
        if left:
            most = "" if self._wait_s is None else f", {duration(self._wait_s)} at most (wait_s)"
            with Lines(logger.info) as watcher:
                watcher.stage(f"waiting for the score of {' and '.join(left)}{most}", 1)
                self._tell(self._beside.wait(self._wait_s))
        for path in self._beside.stop():
            logger.warning(f"{path} was not scored: evalharness score {path} goes on with it")

    def _tell(self, cards: Iterable[Scorecard]) -> None:
        logger = trainer_logger()
        for card in cards:
            self.scorecards.append(card)
            self._trainer.log(figures(card))
            log_page(card, self._out / card.checkpoint.model / step_folder(card.checkpoint.step))
            is_bad = card.verdict == "collapsed" or bool(card.causes)
            logger.log(logging.WARNING if is_bad else logging.INFO, score_sentence(card))
            self._must_stop = self._must_stop or (self._stop and is_bad)
        while self._beside.faults:
            self._trainer.log({"evalharness/fault": self._beside.faults.pop(0)})


def anywhere(is_true: bool, device: torch.device) -> bool:
    """Whether it is true in any process of the training: one that stopped alone would leave the others waiting."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return is_true
    flag = torch.tensor(int(is_true), device=device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, EvalHarnessError) else f"{type(error).__name__}: {error}"


def trainer_logger() -> logging.Logger:
    """The logger of the callback. Where logging is not configured, its lines go to stderr, as those of the trainer."""
    logger = logging.getLogger("evalharness.trainer")
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("evalharness: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return logger


def score_sentence(card: Scorecard) -> str:
    """What came of a score: the verdict with its reason, and the cause if there is one."""
    name = Path(card.checkpoint.path).name if card.checkpoint.step is None else f"step {card.checkpoint.step:,}"
    cause = "" if card.cause is None else f" {card.cause.probe}: {card.cause.claim}"
    return f"{name} is scored: {card.verdict.replace('_', ' ')}, {card.verdict_reason}.{cause}"


def only_set(data: Any) -> Any:
    """The validation data if they are one set; of several by name none is *the* validation data."""
    if not isinstance(data, dict):
        return data
    return next(iter(data.values())) if len(data) == 1 else None
