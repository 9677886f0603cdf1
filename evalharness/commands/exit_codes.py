"""What an exit code of ``evalharness`` means, beside 0 (done) and 2 (wrong input)."""

FAILED = 1
"""``preflight`` found a cause, or a check of ``gate`` failed."""
INCOMPLETE = 3
"""Something could not be evaluated."""
INTERRUPTED = 130
