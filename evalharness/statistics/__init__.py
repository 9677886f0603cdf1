"""pass@k, intervals over problems, two checkpoints compared, loss against behaviour. Pure: numbers in, numbers out."""

from evalharness.statistics.binomial_intervals import exact_share, share_over_problems, wilson
from evalharness.statistics.bootstrap import percentile_interval, resampled_sums
from evalharness.statistics.comparison import (
    LEAST_P,
    Comparison,
    compare_pass_at_k,
    compare_shares,
    has_fallen,
    paired_difference,
)
from evalharness.statistics.correlation import Agreement, Correlation, NoCorrelation, correlate
from evalharness.statistics.discordance import Change, Discordance, discordance
from evalharness.statistics.intervals import pass_at_k_interval, share_interval
from evalharness.statistics.label_smoothing import floor_nats
from evalharness.statistics.means import mean_over_rows, ratio_over_rows
from evalharness.statistics.paired import sign_test
from evalharness.statistics.pass_at_k import pass_at_k

__all__ = [
    "LEAST_P",
    "Agreement",
    "Change",
    "Comparison",
    "Correlation",
    "Discordance",
    "NoCorrelation",
    "compare_pass_at_k",
    "compare_shares",
    "correlate",
    "discordance",
    "exact_share",
    "floor_nats",
    "has_fallen",
    "mean_over_rows",
    "paired_difference",
    "pass_at_k",
    "pass_at_k_interval",
    "percentile_interval",
    "ratio_over_rows",
    "resampled_sums",
    "share_interval",
    "share_over_problems",
    "sign_test",
    "wilson",
]
