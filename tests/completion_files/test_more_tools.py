"""Forms of CodeGeeX, OLMES and EvalPlus's folders, lists of texts, archives, and data sets given by mistake."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from evalharness.completion_files import completion_files, read_completions
from evalharness.errors import CompletionFileError


def read(tmp_path, *rows):
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_completions(tmp_path / "c.jsonl")


def facts(file):
    return [(c.task_id, c.completion_id, c.text, c.holds_prompt, c.form) for c in file.completions]


def test_codegeex(tmp_path):
    file = read(tmp_path, {"task_id": "Python/3", "prompt": "def f():\n", "generation": "    pass\n"})
    assert facts(file) == [("Python/3", 0, "    pass\n", False, "CodeGeeX")]


@pytest.mark.parametrize(
    ("key", "whole"),
    [("samples", False), ("generated_codes", False), ("completion", False), ("output_list", False), ("solution", True)],
)
def test_all_completions_of_a_task_in_one_list(tmp_path, key, whole):
    file = read(tmp_path, {"task_id": "HumanEval/0", key: ["a", "b"]}, {"task_id": "HumanEval/1", key: ["c"]})
    assert facts(file) == [
        ("HumanEval/0", 0, "a", whole, "lists of texts"),
        ("HumanEval/0", 1, "b", whole, "lists of texts"),
        ("HumanEval/1", 0, "c", whole, "lists of texts"),
    ]
    assert [c.row[key] for c in file.completions] == ["a", "b", "c"]


def test_olmes(tmp_path):
    outputs = [{"continuation": text, "num_tokens": 7} for text in ("a", "b")]
    row = {"doc_id": 4, "native_id": "HumanEval/4", "metrics": {"pass_at_1": 0.5}, "model_output": outputs}
    assert [fact[:3] for fact in facts(read(tmp_path, row))] == [("HumanEval/4", 0, "a"), ("HumanEval/4", 1, "b")]


PROGRAMS = {"HumanEval_2/0.py": "a", "HumanEval_2/10.py": "c", "HumanEval_2/9.py": "b", "Mbpp_11/0.py": "d"}
READ = [("HumanEval/2", 0, "a"), ("HumanEval/2", 9, "b"), ("HumanEval/2", 10, "c"), ("Mbpp/11", 0, "d")]


def test_evalplus_folders(tmp_path):
    for name, text in {**PROGRAMS, "HumanEval_2/notes.txt": "x", "HumanEval_2/helper.py": "x"}.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(text)
    assert completion_files([tmp_path / "model"]) == [tmp_path / "model"]
    file = read_completions(tmp_path / "model")
    assert [fact[:3] for fact in facts(file)] == READ
    assert all(c.holds_prompt for c in file.completions)


def archive(path, files, mode):
    with tarfile.open(path, mode) as writing:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            writing.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("name", "mode"), [("m.tar.gz", "w:gz"), ("m.tgz", "w:gz"), ("m.tar", "w"), ("m.tar.xz", "w:xz")]
)
def test_an_archive_of_programs_or_of_jsonl(tmp_path, name, mode):
    programs = archive(tmp_path / name, {f"model/{key}": text for key, text in PROGRAMS.items()}, mode)
    assert [fact[:3] for fact in facts(read_completions(programs))] == READ
    rows = "".join(json.dumps({"task_id": "HumanEval/0", "completion": text}) + "\n" for text in "ab")
    assert [
        fact[:3] for fact in facts(read_completions(archive(tmp_path / f"2{name}", {"x/c.jsonl": rows}, mode)))
    ] == [
        ("HumanEval/0", 0, "a"),
        ("HumanEval/0", 1, "b"),
    ]


def test_a_program_whose_number_has_thousands_of_digits_is_none_of_a_task(tmp_path):
    many = "9" * 5000
    file = archive(tmp_path / "m.tar", {**PROGRAMS, f"HumanEval_0/{many}.py": "", f"x_{many}/0.py": ""}, "w")
    assert len(read_completions(file).completions) == len(read_completions(archive(file, PROGRAMS, "w")).completions)


def test_a_torn_archive_is_one_line_of_error(tmp_path):
    whole = archive(tmp_path / "m.tar.gz", PROGRAMS, "w:gz")
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(CompletionFileError) as error:
        read_completions(whole)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "row",
    [
        {"task_id": "HumanEval/0", "prompt": "p", "canonical_solution": "s", "test": "t", "entry_point": "f"},
        {"task_id": 11, "text": "Write", "code": "def f(): ...", "test_list": ["assert f()"], "test_setup_code": ""},
        {"task_id": "Mbpp/2", "prompt": "p", "canonical_solution": "s", "base_input": [], "plus_input": []},
        {"task_id": 2, "code": "def f(): ...", "prompt": "Write", "test_imports": [], "test_list": ["assert f()"]},
        {"id": "train_17", "prompt": "def f():\n", "solution": "    return 1\n"},
        {"instruction": "Write f.", "input": "", "output": "def f(): ..."},
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_data_set_given_by_mistake_is_recognised(tmp_path, row, compressed, golden_text):
    text = (json.dumps(row) + "\n").encode()
    path = tmp_path / ("d.jsonl.gz" if compressed else "d.jsonl")
    path.write_bytes(gzip.compress(text) if compressed else text)
    with pytest.raises(CompletionFileError) as error:
        read_completions(path)
    golden_text(error)
    assert "\n" not in str(error.value)


def test_a_column_of_a_data_set_may_be_judged_by_its_name(tmp_path):
    row = {"task_id": "HumanEval/0", "prompt": "p", "canonical_solution": "s", "test": "t"}
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n")
    assert [c.text for c in read_completions(tmp_path / "d.jsonl", "canonical_solution").completions] == ["s"]


def test_rows_that_carry_their_problem_along_are_completions(tmp_path):
    row = {"task_id": "HumanEval/0", "prompt": "p", "canonical_solution": "s", "test": "t", "completion": "c"}
    assert [c.text for c in read(tmp_path, row).completions] == ["c"]
