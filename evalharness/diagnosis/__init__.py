"""Why a loss and a behaviour disagree. Each probe is a file: a finding, or what was ruled out, or why it can't be."""

from evalharness.diagnosis.future_leak import future_leak
from evalharness.diagnosis.losses import PairedLoss, paired_loss
from evalharness.diagnosis.redrawn import redrawn_copy
from evalharness.diagnosis.rows import DataRow, TokenRow, read_rows, tokenize

__all__ = ["DataRow", "PairedLoss", "TokenRow", "future_leak", "paired_loss", "read_rows", "redrawn_copy", "tokenize"]
