"""Whether the loss fell on formatting or on content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.losses.breakdown import fall
from evalharness.diagnosis.losses.row_means import figures, shown, too_few
from evalharness.diagnosis.losses.token_classes import CONTENT, FORMATTING, TokenClass
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.breakdown import Fall
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome

NAME = "easy_tokens"
MOST = 0.5
"""The fall is that of formatting where at least half of it is, by the lower end of the interval, …"""
HARDLY = 0.1
"""… and content hardly fell: by less than a tenth of its loss before, by the upper end."""


def easy_tokens(measured: Measured) -> Outcome:
    """Divide the fall of the mean loss among the classes of tokens, against the model from before this training.

    Formatting (line ends, indentation, blanks) is named only where most of the fall is its, clearly more than its share
    of the tokens, and content (keywords, names, literals, comments) hardly fell. Costs the losses of both models.
    """
    subject = measured.subject
    if subject.before is None:
        return NotTestable(
            NAME, "no_base", "there is no model from before this training to compare with (a base, or a first step)"
        )
    if reason := too_few(measured.validation_losses):
        return NotTestable(NAME, "too_few", reason)
    taken = fall(measured)
    if not taken.has_fallen:
        return RuledOut(NAME, "The loss is not shown to have fallen at all, on formatting or otherwise.", _whole(taken))
    layout, content = taken.of_classes("formatting", FORMATTING), taken.of_classes("content", CONTENT)
    if layout is None or content is None or content.fall_nats is None or layout.share_of_fall is None:
        return NotTestable(NAME, "too_few", "too few rows hold tokens of formatting and of content both")
    evidence = _whole(taken) | {
        "rows": len(taken.after),
        "formatting_share_of_targets": layout.share_of_targets.estimate,
    }
    evidence |= {f"formatting_share_of_fall{end}": v for end, v in _ends(layout.share_of_fall).items()}
    evidence |= figures("content_fall", content.fall_nats)
    for kind in TokenClass:
        part = taken.of_classes(str(kind), {kind})
        if part is not None and part.share_of_fall is not None and part.before_nats is not None:
            evidence |= {f"{kind}_share_of_targets": part.share_of_targets.estimate}
            evidence |= {f"{kind}_share_of_fall": part.share_of_fall.estimate}
            evidence |= {
                f"{kind}_before_nats": part.before_nats.estimate,
                f"{kind}_after_nats": part.after_nats.estimate,
            }
    before = content.before_nats.estimate if content.before_nats is not None else 0.0
    figures_of = (
        f"formatting is {100 * layout.share_of_targets.estimate:.0f} % of the targets and "
        f"{_percent(layout.share_of_fall)} of the fall; content fell by {shown(content.fall_nats)} of "
        f"{before:.3g} nats ({counted(len(taken.after), 'row')})"
    )
    clearly_more = layout.share_of_fall.low > max(MOST, layout.share_of_targets.high)
    if not clearly_more or content.fall_nats.high > HARDLY * before:
        return RuledOut(NAME, f"The loss did not fall on formatting alone: {figures_of}.", evidence)
    remedy = (
        "Read the loss by class of token: this training taught layout. Look for what keeps the rest from learning (too "
        "few trained weights, too low a rate, targets that are mostly white space)."
    )
    return Finding(
        NAME, "contributing", f"The loss fell on formatting, not on content: {figures_of}.", evidence, remedy
    )


def _whole(taken: Fall) -> dict[str, Any]:
    whole = taken.of_classes("all", frozenset(TokenClass))
    if whole is None or whole.before_nats is None or whole.fall_nats is None:
        return {}
    return figures("before", whole.before_nats) | figures("after", whole.after_nats) | figures("fall", whole.fall_nats)


def _ends(interval: Any) -> dict[str, float]:
    return {"": interval.estimate, "_low": interval.low, "_high": interval.high}


def _percent(interval: Any) -> str:
    return f"{100 * interval.estimate:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


PROBE = Probe(
    name=NAME,
    question="Did the loss fall on formatting or on content?",
    run=easy_tokens,
    order=180,
    not_worth_trying="Lower weights for formatting tokens in the loss",
    at_most="contributing",
    forward_passes=128,
    capabilities=LOGITS,
    skipped_if_leak=True,
)
