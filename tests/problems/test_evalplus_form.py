"""HumanEval+ and MBPP+ from EvalPlus's files, local or fetched."""

from __future__ import annotations

import ast
import functools
import gzip
import hashlib
import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from shared_data import shared_or_skip

from evalharness.completion_files import FileCompletion
from evalharness.completion_files.tasks import Tasks
from evalharness.errors import ProblemError
from evalharness.problems import humaneval_plus, load_problems, mbpp_plus, release_cache
from evalharness.problems.argument_types import typed

ROW = {
    "task_id": "HumanEval/7",
    "prompt": "def half(number: float):\n",
    "entry_point": "half",
    "canonical_solution": "\n    return number / 2\n",
    "base_input": [[2]],
    "plus_input": [[3], [float("inf")]],
    "atol": 1e-6,
    "contract": '\n    assert number > 0, "invalid inputs" # $_CONTRACT_$\n',
}


def rows_in(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def no_download(_wanted):
    raise AssertionError("nothing is fetched where a file is named")


@pytest.mark.parametrize(
    ("name", "file", "problems", "release"),
    [
        ("humaneval+", "HumanEvalPlus.jsonl.gz", 164, "HumanEvalPlus v0.1.10"),
        ("mbpp+", "MbppPlus.jsonl.gz", 378, "MbppPlus v0.2.0"),
    ],
)
def test_the_released_files_are_known_with_all_their_problems(name, file, problems, release):
    path = shared_or_skip(f"data/plus/{file}")
    by_name = load_problems(name, paths={name: path}, environment={})
    variable = {"humaneval+": "EVALHARNESS_HUMANEVAL_PLUS", "mbpp+": "EVALHARNESS_MBPP_PLUS"}[name]
    by_environment = load_problems(name, environment={variable: str(path)})
    by_path = load_problems(path, environment={})
    assert by_name == by_environment == by_path
    assert (len(by_name.problems), by_name.release.name, by_name.release.licence) == (problems, release, "Apache-2.0")
    assert sum(bool(problem.inputs.contract) for problem in by_name.problems) > 100


def test_a_file_is_read_once_for_problems_and_release_and_anew_when_it_has_changed(tmp_path, monkeypatch):
    reads = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    path = rows_in(tmp_path / "plus.jsonl", ROW)
    first = load_problems(path, environment={})
    assert reads == [path]
    rows_in(path, ROW, {**ROW, "task_id": "HumanEval/8"})
    second = load_problems(path, environment={})
    assert (len(first.problems), len(second.problems)) == (1, 2)
    assert first.release.sha256 != second.release.sha256


def test_the_types_of_mbpps_arguments_are_those_of_its_assertions():
    mbpp = load_problems(shared_or_skip("data/plus/MbppPlus.jsonl.gz"), environment={})
    first = {problem.task_id: ast.literal_eval(problem.inputs.base)[0] for problem in mbpp.problems}
    assert first["Mbpp/2"] == [(3, 4, 5, 6), (5, 7, 4, 10)]
    assert first["Mbpp/63"] == [[(3, 5), (1, 7), (10, 3), (1, 2)]]
    assert first["Mbpp/124"] == [0.0, 1j]
    assert first["Mbpp/580"] == [(4, 5, (7, 6, (2, 4)), 6, 8)]
    assert first["Mbpp/722"][0]["Cierra Vega"] == (6.2, 70)


@pytest.mark.parametrize(
    ("words", "arguments", "expected"),
    [
        ("-", [[1, [2]], {"a": [1]}], [[1, [2]], {"a": [1]}]),
        ("t", [[1, [2]], []], [(1, [2]), ()]),
        ("t+", [[1, [2, [3]]]], [(1, (2, (3,)))]),
        ("lt -", [[[1], [2]], [3]], [[(1,), (2,)], [3]]),
        ("lt", [{"a": [1]}], [{"a": (1,)}]),
        ("ls", [[[1, 1], []]], [[{1}, {}]]),
        ("f c", ["0.5", "(1+2j)"], [0.5, 1 + 2j]),
    ],
)
def test_types_that_json_lacks(words, arguments, expected):
    assert typed(words, arguments) == expected


def test_a_file_of_another_version_is_taken_and_named_by_its_sha256(tmp_path):
    path = rows_in(tmp_path / "HumanEvalPlus.jsonl", ROW)
    found = load_problems(path, environment={})
    assert found.name == "humaneval+"
    assert found.release.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.release.name != "HumanEvalPlus v0.1.10"
    (problem,) = found.problems
    assert (problem.entry_point, problem.inputs.tolerance, problem.inputs.rule) == ("half", 1e-6, "equal")
    assert eval(problem.inputs.plus, {"inf": float("inf")}) == [[3], [float("inf")]]


def test_the_contract_says_which_arguments_have_to_be_answered(tmp_path):
    (problem,) = load_problems(rows_in(tmp_path / "x.jsonl", ROW), environment={}).problems
    namespace = {}
    exec(problem.inputs.contract, namespace)
    assert [namespace["accepts_inputs"](number) for number in (1, -1, "one")] == [True, False, False]


@pytest.mark.parametrize(
    "broken",
    [
        {**ROW, "plus_input": "all"},
        {key: value for key, value in ROW.items() if key != "contract"},
        {"task_id": "HumanEval/0", "prompt": "", "canonical_solution": "", "entry_point": "f", "test": "inputs = []"},
        {**ROW, "task_id": "Mbpp/7"},
    ],
)
def test_a_row_in_another_form_is_one_line_of_error(tmp_path, broken):
    path = rows_in(tmp_path / "x.jsonl", ROW, broken)
    with pytest.raises(ProblemError) as error:
        humaneval_plus.load({"humaneval+": path}, no_download)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_completions_may_name_a_task_of_mbpp_by_its_number(tmp_path):
    row = {**ROW, "task_id": "Mbpp/7"}
    tasks = Tasks(load_problems("mbpp+", paths={"mbpp+": rows_in(tmp_path / "m.jsonl", row)}, environment={}))
    assert [tasks.of(FileCompletion(name, "", 1)).task_id for name in ("7", "Mbpp/7", "MBPP/7")] == ["Mbpp/7"] * 3


@pytest.fixture
def server(tmp_path):
    """A server of the files in a folder, and that folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


def test_a_release_is_fetched_once_and_checked(tmp_path, server):
    folder, address = server
    content = json.dumps(ROW).encode()
    (folder / "x.jsonl.gz").write_bytes(gzip.compress(content))
    wanted = replace(
        humaneval_plus.SET, url=f"{address}/x.jsonl.gz", releases={hashlib.sha256(content).hexdigest(): "x"}
    )
    first = release_cache.download(wanted, tmp_path / "cache")
    (folder / "x.jsonl.gz").unlink()
    assert release_cache.download(wanted, tmp_path / "cache") == first
    assert gzip.decompress(first.read_bytes()) == content


@pytest.mark.parametrize("served", [b"", gzip.compress(b"other"), None], ids=["nothing", "another file", "no file"])
def test_a_release_that_is_not_the_published_one_is_not_kept(tmp_path, server, served):
    folder, address = server
    if served is not None:
        (folder / "x.jsonl.gz").write_bytes(served)
    wanted = replace(mbpp_plus.SET, url=f"{address}/x.jsonl.gz")
    with pytest.raises(ProblemError) as error:
        release_cache.download(wanted, tmp_path / "cache")
    assert wanted.variable in str(error.value)
    assert not (tmp_path / "cache").exists()
