"""Why a loss and a behaviour disagree. Each probe is a file: a finding, or what was ruled out, or why it can't be."""

from evalharness.diagnosis.breakdown import LossBreakdown, loss_breakdown
from evalharness.diagnosis.future_leak import future_leak
from evalharness.diagnosis.label_shift import BatchOffsets, batch_offsets
from evalharness.diagnosis.losses import PairedLoss, paired_loss
from evalharness.diagnosis.redrawn import redrawn_copy
from evalharness.diagnosis.rows import DataRow, TokenRow, read_rows, tokenize

__all__ = [
    "BatchOffsets",
    "DataRow",
    "LossBreakdown",
    "PairedLoss",
    "TokenRow",
    "batch_offsets",
    "future_leak",
    "loss_breakdown",
    "paired_loss",
    "read_rows",
    "redrawn_copy",
    "tokenize",
]
