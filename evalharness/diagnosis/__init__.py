"""Why a loss and a behaviour disagree.

::

    subject.py      one checkpoint, its data and its log: plain data        data/      how rows and batches are read
    measured.py     what is measured of it, once                            losses/    how losses are measured
    probe.py        one question, what it needs and costs                   trials/    how probes run the model
    probes/         one file for each probe
    repair.py       one thing changed in memory                             repairs/   one file for each kind
    catalogue.py    all of them, in their order
    examination.py  asks them        preflight.py  asks those that can be answered before training
"""

from evalharness.diagnosis.data.id_rows import each_id_text, first_of_batch, holds_ids, read_id_rows
from evalharness.diagnosis.data.packing import packed
from evalharness.diagnosis.data.rows import DataRow, TokenRow, each_text, read_rows, tokenize
from evalharness.diagnosis.data.spread import evenly, every
from evalharness.diagnosis.data.token_files import each_token_text, is_token_file, read_token_rows
from evalharness.diagnosis.data.trainer_tokens import TrainerTokens, trainer_tokens
from evalharness.diagnosis.data.training_batch import TrainingBatch, read_batch
from evalharness.diagnosis.data.whole_texts import WholeTexts, read_whole
from evalharness.diagnosis.examination import Diagnosis, examine
from evalharness.diagnosis.losses.breakdown import LossBreakdown, loss_breakdown
from evalharness.diagnosis.losses.honest import CERTIFYING, TARGETS, PairedLoss, RowLoss, paired_loss
from evalharness.diagnosis.losses.passage_losses import PassageToken, passage
from evalharness.diagnosis.losses.scored_rows import ScoredLoss, scored_loss
from evalharness.diagnosis.losses.token_bytes import bytes_per_token
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.preflight import preflight_batch, preflight_rows
from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.probes.future_leak import future_leak, future_leak_in_both_modes
from evalharness.diagnosis.probes.label_shift import BatchOffsets, batch_offsets
from evalharness.diagnosis.subject import Declared, Observed, PromptWay, Split, Subject
from evalharness.diagnosis.trials.module_modes import evaluating
from evalharness.diagnosis.trials.redrawn_copy import redrawn_copy

__all__ = [
    "CERTIFYING",
    "TARGETS",
    "BatchOffsets",
    "DataRow",
    "Declared",
    "Diagnosis",
    "LossBreakdown",
    "Measured",
    "Observed",
    "PairedLoss",
    "PassageToken",
    "Probe",
    "PromptWay",
    "RowLoss",
    "ScoredLoss",
    "Split",
    "Subject",
    "TokenRow",
    "TrainerTokens",
    "TrainingBatch",
    "WholeTexts",
    "batch_offsets",
    "bytes_per_token",
    "each_id_text",
    "each_text",
    "each_token_text",
    "evaluating",
    "evenly",
    "every",
    "examine",
    "first_of_batch",
    "future_leak",
    "future_leak_in_both_modes",
    "holds_ids",
    "is_token_file",
    "loss_breakdown",
    "packed",
    "paired_loss",
    "passage",
    "preflight_batch",
    "preflight_rows",
    "read_batch",
    "read_id_rows",
    "read_rows",
    "read_token_rows",
    "read_whole",
    "redrawn_copy",
    "scored_loss",
    "tokenize",
    "trainer_tokens",
]
