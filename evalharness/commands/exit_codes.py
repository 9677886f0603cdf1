"""What an exit code of ``evalharness`` means, as constants and as the last line of every command's help."""

DONE = 0
FAILED = 1
"""``preflight`` found a cause, or a check of ``gate`` failed."""
WRONG_INPUT = 2
INCOMPLETE = 3
"""Something could not be evaluated."""
INTERRUPTED = 130


def exit_codes(*, done: str = "done", failed: str | None = None) -> str:
    """Return the line of a help that lists a command's exit codes; ``failed`` is what 1 means, if it can happen."""
    meanings = {
        DONE: done,
        FAILED: failed,
        WRONG_INPUT: "wrong or missing input",
        INCOMPLETE: "something could not be evaluated",
        INTERRUPTED: "interrupted",
    }
    return f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in meanings.items() if meaning)}."
