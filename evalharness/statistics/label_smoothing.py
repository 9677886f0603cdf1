"""What label smoothing does to a loss."""

from __future__ import annotations

import math


def floor_nats(strength: float, vocabulary: int) -> float:
    """The lowest mean loss (nats) that any model reaches under label smoothing: the entropy of its targets.

    The targets are ``(1 - strength)`` on the true id and ``strength / vocabulary`` on each id, the true one among them
    (Szegedy et al. 2016, section 7). Raises ``ValueError`` unless ``0 <= strength < 1`` and there are two ids or more.
    """
    if not 0 <= strength < 1 or vocabulary < 2:
        raise ValueError(f"strength {strength} over {vocabulary} ids: expected 0 <= strength < 1 and at least 2 ids")
    if strength == 0:
        return 0.0
    other = strength / vocabulary
    true = 1 - strength + other
    return -true * math.log(true) - (vocabulary - 1) * other * math.log(other)
