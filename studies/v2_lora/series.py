"""The study's series: what each is called, and what it is in words."""

from __future__ import annotations

SERIES = {
    "v1_leaky": "base without a mask",
    "v1_causal": "base with a mask",
    "v1_it_leaky": "every weight of the base without a mask, tuned on 49 rows",
    "v1_it_causal": "every weight of the base with a mask, tuned on 49 rows",
    "v2_leaky": "LoRA over the base without a mask, 500 rows",
    "v2_causal": "LoRA over the base with a mask, 500 rows",
    "v2_few": "LoRA over the base with a mask, 49 rows",
    "v2_cut_leaky": "LoRA over the base without a mask, 500 rows without their last newlines",
    "v1_repaired": "base without a mask, trained on with one",
}
EVERY_SECOND, THE_LAST = ("--every", "2"), ("--last", "1")
STEPS = {
    "v1_leaky": EVERY_SECOND,
    "v2_leaky": EVERY_SECOND,
    "v2_causal": EVERY_SECOND,
    "v1_repaired": EVERY_SECOND,
    **dict.fromkeys(("v1_causal", "v1_it_leaky", "v1_it_causal", "v2_few", "v2_cut_leaky"), THE_LAST),
}
"""The steps that are scored, where it is not all of them: what has no mask can't use a cache, which takes minutes."""


def has_mask(name: str) -> bool:
    return not name.endswith("leaky")
