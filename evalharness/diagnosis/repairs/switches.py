"""Switches of the architecture that stand the other way than in training: weights fit in shape either way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.other_value import other_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.repair import Repair
    from evalharness.diagnosis.subject import Subject

SWITCHES = (
    "use_parallel_residual", "parallel_residual", "parallel_attn", "parallel", "do_layer_norm_before",
    "normalize_before", "norm_first", "pre_norm", "prenorm", "apply_residual_connection_post_layernorm",
    "norm_topk_prob", "norm_topk", "renormalize", "scale_embedding", "qk_norm", "use_qk_norm", "interleaved",
    "rope_interleaved", "rotary_interleaved", "is_neox_style",
)  # fmt: skip
"""Attention and layer beside each other, norms before or after, shares of experts that sum to one, rotary pairs."""
EXPERTS = ("num_experts_per_tok", "top_k", "topk", "moe_top_k", "num_selected_experts", "experts_per_token")
ALL_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "n_experts", "moe_num_experts")
COUNTS = (1, 2, 4, 6, 8)
"""Experts for each token, of released models."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Each switch turned by itself, and other numbers of experts."""
    module = subject.torch_model.module
    for name in SWITCHES:
        kept = kept_values(module, (name,), bool)
        if kept:
            yield other_value(kept, not next(iter(kept.values())), kind="switch", sharp=True)
    of_all = max(kept_values(module, ALL_EXPERTS, int).values(), default=0)
    kept_counts = {path: count for path, count in kept_values(module, EXPERTS, int).items() if count <= of_all}
    for count in COUNTS if kept_counts else ():
        if count <= of_all and count != next(iter(kept_counts.values())):
            yield other_value(kept_counts, count, kind="experts", sharp=True)
