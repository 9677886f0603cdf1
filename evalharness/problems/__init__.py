"""Problem sets as :class:`Problem` records: those with a file in this package, other packages', and a user's JSONL.

To add a set, add a file with ``NAME`` and ``load(paths)``, see :class:`ProblemSource`.
"""

from evalharness.problems.sets import (
    ProblemSet,
    ProblemSource,
    load_problems,
    problem_set_names,
    where_problems_are,
    yardsticks,
)

__all__ = ["ProblemSet", "ProblemSource", "load_problems", "problem_set_names", "where_problems_are", "yardsticks"]
