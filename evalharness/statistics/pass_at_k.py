"""The unbiased estimator of pass@k."""

from __future__ import annotations

import math


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that at least one of ``k`` completions passes, given that ``c`` of ``n`` did.

    Unbiased: ``1 - C(n - c, k) / C(n, k)`` (Chen et al. 2021, "Evaluating Large Language Models Trained on Code",
    section 2.1). The quotient is taken as their product of ``1 - k / i`` for ``i`` from ``n - c + 1`` to ``n``, which
    no binomial coefficient overflows.

    Raises ``ValueError`` unless ``1 <= k <= n`` and ``0 <= c <= n``.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} completions: k must be from 1 to the number of completions")
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} completions passed: expected from 0 to {n}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))
