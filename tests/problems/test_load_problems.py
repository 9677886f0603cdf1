import gzip
import json
from dataclasses import replace

import pytest
from documentation import block

from evalharness.errors import ProblemError
from evalharness.problems import load_problems, problem_set_names, sets, where_problems_are
from evalharness.problems.sets import digest

ROW = {
    "task_id": "mine/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


def test_the_sets_by_name_are_in_their_order():
    assert problem_set_names()[:6] == ("humaneval", "humaneval+", "mbpp", "mbpp+", "multipl-e", "warmup")


@pytest.mark.parametrize(("name", "problems"), [("humaneval", 164), ("warmup", 60)])
def test_a_set_is_loaded_by_its_name(name, problems):
    problem_set = load_problems(name, environment={})
    assert (problem_set.name, len(problem_set.problems)) == (name, problems)


def test_mbpp_is_loaded_by_its_name_from_a_path_that_goes_before_the_environment(mbpp_file):
    by_path = load_problems("mbpp", paths={"mbpp": mbpp_file}, environment={"EVALHARNESS_MBPP": "/nowhere"})
    by_environment = load_problems("mbpp", environment={"EVALHARNESS_MBPP": str(mbpp_file)})
    assert by_path == by_environment
    assert len(by_path.problems) == 500


def test_a_path_to_mbpps_own_file_is_mbpp(mbpp_file):
    assert load_problems(mbpp_file, environment={}) == load_problems("mbpp", paths={"mbpp": mbpp_file}, environment={})


def test_an_altered_copy_of_mbpp_is_refused_by_its_digest(tmp_path, golden_text):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps({"text": "", "code": "", "task_id": 1, "test_list": []}))
    with pytest.raises(ProblemError) as error:
        load_problems(path, environment={})
    golden_text(error)


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.jsonl.gz"])
def test_a_users_own_file_is_named_by_its_stem(tmp_path, name):
    content = json.dumps(ROW).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert load_problems(str(tmp_path / name), environment={}).name == "tasks"


@pytest.mark.parametrize("way", ["path", "environment"])
def test_a_declared_name_is_a_set_of_that_name(tmp_path, way):
    file = tmp_path / "tasks.txt"
    file.write_text(json.dumps(ROW))
    paths, environment = ({"mine": file}, {}) if way == "path" else ({}, {"EVALHARNESS_MINE": str(file)})
    problem_set = load_problems("mine", paths=paths, environment=environment)
    assert (problem_set.name, problem_set.package) == ("mine", None)
    assert problem_set.problems == load_problems(file, environment={}).problems


def test_a_declared_name_whose_file_is_absent_names_the_file(tmp_path):
    with pytest.raises(ProblemError, match="absent"):
        load_problems("mine", paths={"mine": tmp_path / "absent"}, environment={})


def test_a_declared_name_is_among_the_sets_whose_place_is_shown(tmp_path):
    (tmp_path / "tasks.jsonl").write_text(json.dumps(ROW))
    paths = {"mine": tmp_path / "tasks.jsonl", "absent": tmp_path / "absent.jsonl"}
    shown = where_problems_are({}, paths)
    assert {name: place.fault for name, place in shown.items() if name in paths} == {"mine": False, "absent": True}
    assert shown["mine"].words.startswith("1 problems")


class OwnSet:
    """A file that somebody added to the package, whose problems are made by ``load``."""

    NAME = "own"

    def __init__(self, load):
        self.load = load


def add(monkeypatch, load):
    monkeypatch.setattr(sets, "own_sources", lambda: {**OWN, "own": OwnSet(load)})


OWN = sets.own_sources()


def test_the_row_that_the_pages_show_is_a_problem(tmp_path):
    (tmp_path / "ours.jsonl").write_text(block("json", '{"task_id"'))
    (problem,) = load_problems(tmp_path / "ours.jsonl", environment={}).problems
    assert problem.entry_point == "add"


def test_an_error_of_an_added_set_names_the_set_and_the_others_are_still_shown(monkeypatch):
    add(monkeypatch, lambda paths: {}["missing key"])
    with pytest.raises(ProblemError, match=r"'own'.*KeyError.*missing key"):
        load_problems("own", environment={})
    shown = where_problems_are({})
    assert [name for name, place in shown.items() if place.fault] == ["own"]
    assert {"humaneval", "warmup", "own"} <= shown.keys()


def test_a_set_without_problems_is_refused(monkeypatch):
    add(monkeypatch, lambda paths: ())
    with pytest.raises(ProblemError, match="'own' has no problems"):
        load_problems("own", environment={})


def test_a_limit_keeps_the_first_ones_and_changes_the_digest():
    whole, part = load_problems("warmup", environment={}), load_problems("warmup", limit=5, environment={})
    assert part.problems == whole.problems[:5]
    assert part.digest != whole.digest
    assert load_problems("warmup", limit=1000, environment={}) == whole


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_under_one_is_refused(limit, golden_text):
    with pytest.raises(ProblemError) as error:
        load_problems("warmup", limit=limit, environment={})
    golden_text(error)


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
def test_an_unknown_name_is_refused_with_the_known_ones_and_the_nearest(name, nearest, golden_text):
    with pytest.raises(ProblemError) as caught:
        load_problems(name, environment={})
    golden_text(caught.value)


@pytest.mark.parametrize("name", ["zzzz", ""])
def test_a_name_near_to_nothing_gets_no_guess(name, golden_text):
    with pytest.raises(ProblemError) as error:
        load_problems(name, environment={})
    golden_text(error)


@pytest.mark.parametrize("name", ["absent.jsonl", "absent/tasks", "absent.jsonl.gz"])
def test_an_absent_file_is_called_unreadable_and_not_an_unknown_set(name, golden_text):
    with pytest.raises(ProblemError) as error:
        load_problems(name, environment={})
    golden_text(error)


DIGESTS = {
    "humaneval": "fb9700585d91fc5fcc6c684daf085caef275468272581fb50b4e51c3610d118e",
    "warmup": "097a1e7f6e8ab3f54d5c613377e2ef664cc64ee1e33bb7ec22aad440747d17c9",
    "mbpp": "63288349487f5d2c2d7ee9d6caaaa47fb71c079b4f3c28cd7e57297bcc5489e3",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_digests_of_the_sets_are_those_of_old_scorecards_and_baselines(name, request):
    paths = {"mbpp": request.getfixturevalue("mbpp_file")} if name == "mbpp" else {}
    assert load_problems(name, paths=paths, environment={}).digest == DIGESTS[name]


def test_another_language_is_refused_with_the_known_ones(tmp_path, golden_text):
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(ROW | {"language": "rust"}))
    with pytest.raises(ProblemError) as error:
        load_problems(path, environment={})
    golden_text(error)


def test_a_problem_that_says_it_is_python_is_the_same_problem(tmp_path):
    said, unsaid = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    said.write_text(json.dumps(ROW | {"language": "python"}))
    unsaid.write_text(json.dumps(ROW))
    assert load_problems(said, environment={}).problems == load_problems(unsaid, environment={}).problems


def test_the_digest_of_a_problem_in_another_language_is_another():
    python = load_problems("warmup", limit=1, environment={}).problems
    assert digest(tuple(replace(p, language="lua") for p in python)) != digest(python)
