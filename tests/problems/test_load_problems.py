import gzip
import json

import pytest

from evalharness.errors import ProblemError
from evalharness.problems import PROBLEM_SETS, load_problems

ROW = {
    "task_id": "mine/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


def test_the_sets_by_name_are_humaneval_mbpp_and_warmup():
    assert list(PROBLEM_SETS) == ["humaneval", "mbpp", "warmup"]


@pytest.mark.parametrize(("name", "problems"), [("humaneval", 164), ("warmup", 60)])
def test_a_set_is_loaded_by_its_name(name, problems):
    problem_set = load_problems(name, environment={})
    assert (problem_set.name, len(problem_set.problems)) == (name, problems)


def test_mbpp_is_loaded_by_its_name_from_a_path_that_goes_before_the_environment(mbpp_file):
    by_path = load_problems("mbpp", mbpp_path=mbpp_file, environment={"EVALHARNESS_MBPP": "/nowhere"})
    by_environment = load_problems("mbpp", environment={"EVALHARNESS_MBPP": str(mbpp_file)})
    assert by_path == by_environment
    assert len(by_path.problems) == 500


def test_a_path_to_mbpps_own_file_is_mbpp(mbpp_file):
    assert load_problems(mbpp_file, environment={}) == load_problems("mbpp", mbpp_path=mbpp_file, environment={})


def test_an_altered_copy_of_mbpp_is_refused_by_its_digest(tmp_path):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps({"text": "", "code": "", "task_id": 1, "test_list": []}))
    with pytest.raises(ProblemError, match=r"sha256 is .*, expected"):
        load_problems(path, environment={})


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.jsonl.gz"])
def test_a_users_own_file_is_named_by_its_stem(tmp_path, name):
    content = json.dumps(ROW).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert load_problems(str(tmp_path / name), environment={}).name == "tasks"


def test_a_limit_keeps_the_first_ones_and_changes_the_digest():
    whole, part = load_problems("warmup", environment={}), load_problems("warmup", limit=5, environment={})
    assert part.problems == whole.problems[:5]
    assert part.digest != whole.digest
    assert load_problems("warmup", limit=1000, environment={}) == whole


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_under_one_is_refused(limit):
    with pytest.raises(ProblemError, match=f"limit is {limit}, expected at least 1"):
        load_problems("warmup", limit=limit, environment={})


@pytest.mark.parametrize("key", [*ROW, "stop"])
def test_the_digest_changes_with_every_field(tmp_path, key):
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(ROW))
    before = load_problems(path, environment={}).digest
    path.write_text(json.dumps(ROW | {key: ["\n\n"] if key == "stop" else ROW[key] + " "}))
    assert load_problems(path, environment={}).digest != before


def test_the_digest_does_not_depend_on_how_the_json_is_spelt(tmp_path):
    plain, spaced = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    plain.write_text(json.dumps(ROW | {"prompt": "def one():  # é\n"}))
    spaced.write_text(json.dumps(dict(reversed((ROW | {"prompt": "def one():  # é\n"}).items())), ensure_ascii=False))
    assert load_problems(plain, environment={}).digest == load_problems(spaced, environment={}).digest


@pytest.mark.parametrize(
    ("name", "nearest"), [("humanevl", "humaneval"), ("HumanEval", "humaneval"), ("MBP", "mbpp"), ("warm-up", "warmup")]
)
def test_an_unknown_name_is_refused_with_the_known_ones_and_the_nearest(name, nearest):
    with pytest.raises(ProblemError) as caught:
        load_problems(name, environment={})
    assert str(caught.value) == (
        f"unknown problem set {name!r}, expected humaneval, mbpp, warmup or the path of a .jsonl file; "
        f"did you mean {nearest!r}?"
    )


@pytest.mark.parametrize("name", ["zzzz", ""])
def test_a_name_near_to_nothing_gets_no_guess(name):
    with pytest.raises(ProblemError, match=r"or the path of a \.jsonl file$"):
        load_problems(name, environment={})


@pytest.mark.parametrize("name", ["absent.jsonl", "absent/tasks", "absent.jsonl.gz"])
def test_an_absent_file_is_called_unreadable_and_not_an_unknown_set(name):
    with pytest.raises(ProblemError, match=r"absent.*can't be read \(No such file or directory\)"):
        load_problems(name, environment={})
