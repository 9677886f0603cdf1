"""Whether the base of an adapter has the adapter in its weights already, so that it is applied twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.losses.counted_losses import counted_losses, figure
from evalharness.records import REPAIRED, Finding

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.counted_losses import Counting
    from evalharness.diagnosis.trials.repair_search import RepairSearch
    from evalharness.records import Interval

LEARNED = 4.0
"""Training has learned something where the log has moved by four times what it may be off by. Without that a base that
gives the log tells nothing: the adapter may have learned nothing, or the log may be of the base alone."""


def merged_already(search: RepairSearch, evidence: dict[str, Any]) -> Finding | None:
    """Say so if the base alone gives what was logged at the adapter's step, and not what was logged at first.

    Costs one pass over the rows of ``search``; None without an adapter that can be switched off.
    """
    subject = search.subject
    first = next((point for point in subject.log if point.split == "validation"), None)
    if subject.without_adapter is None or first is None:
        return None
    losses = counted_losses(subject.without_adapter, search.rows, subject.end_ids)
    for counting, loaded in search.as_loaded.figures.items():
        base = figure(losses, counting, subject.seed)
        if base is None:
            continue
        error = search.error_nats(base)
        gives_log = abs(base.estimate - search.logged_nats) <= error
        if gives_log and first.loss_nats - search.logged_nats > LEARNED * error:
            return _applied_twice(search, counting, base, loaded, first.loss_nats, evidence)
    return None


def _applied_twice(
    search: RepairSearch, counting: Counting, base: Interval, loaded: Interval, first_nats: float, known: dict[str, Any]
) -> Finding:
    claim = (
        f"The adapter is in the weights twice: its base alone gives {base.estimate:.4g} nats, {search.logged_nats:.4g} "
        f"were logged for the adapter, and with the adapter over this base it is {loaded.estimate:.4g} "
        f"({counting.words}, {search.rows_in_words}). Training began at {first_nats:.4g}, so that a base that was not "
        "trained would not give the last loss: the adapter was merged into it before."
    )
    remedy = (
        "Load one of the two: the merged model without the adapter, or the adapter over the base that it was trained "
        "over (base_model_name_or_path in its adapter_config.json)."
    )
    evidence = known | {
        "kind": "adapter_twice",
        "proven": True,
        "place": "adapter_config.json, `base_model_name_or_path`",
        "counting": counting.words,
        "as_loaded_nats": loaded.estimate,
        "repaired_nats": base.estimate,
        "first_logged_nats": first_nats,
    }
    return Finding(REPAIRED, "cause", claim, evidence, remedy)
