"""How the report writes numbers: an estimate, and its 95 % interval in brackets."""

from evalharness.records import Interval


def nats(value: float) -> str:
    return "–" if value != value else f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"


def loss(measured: Interval) -> str:
    return f"{nats(measured.estimate)} [{nats(measured.low)}, {nats(measured.high)}]"


def difference(measured: Interval) -> str:
    return f"{measured.estimate:+.3f} [{measured.low:+.3f}, {measured.high:+.3f}]"


def share(measured: Interval) -> str:
    estimate, low, high = (f"{100 * bound:.1f}" for bound in (measured.estimate, measured.low, measured.high))
    return f"{estimate} % [{low}, {high}]"
