"""pass@k and intervals over problems. Pure: numbers in, numbers out."""

from evalharness.statistics.intervals import bootstrap_over_problems, pass_at_k_interval, share_interval, wilson
from evalharness.statistics.means import mean_over_rows, ratio_over_rows
from evalharness.statistics.paired import sign_test
from evalharness.statistics.pass_at_k import pass_at_k

__all__ = [
    "bootstrap_over_problems",
    "mean_over_rows",
    "pass_at_k",
    "pass_at_k_interval",
    "ratio_over_rows",
    "share_interval",
    "sign_test",
    "wilson",
]
