"""The manifest: where it is found, what it says, and every fault in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.errors import ManifestError
from evalharness.settings.manifest import Manifest, find_manifest, read_manifest

WHOLE = """
[model]
factory = "models.py:build"
args = { layers = 8, sizes = [1, 2] }
weights = "v1_best.pt"
tokenizer = "tokenizer.json"
context_length = 256
begin_token = "<|bos|>"
end_tokens = ["<|endoftext|>", 3]
prompt_template = "Solve: {prompt}"
forward = "models.py:all_logits"
attention = "prefix"

[data]
train = "v2_train.jsonl"
validation = "/data/v2_val.jsonl"
prompt_key = "prompt"
completion_key = "solution"

[loss]
label_smoothing = 0.1
count_prompt = false
count_padding = true

[log]
path = "train.log"

[score]
problems = ["humaneval", "mine/own.jsonl"]
samples = 4
temperature = 1
k = 1
out = "reports"
packages = ["numpy"]
stop_loops = false

[problems.mbpp]
path = "data/mbpp.jsonl"
"""


def write(folder: Path, text: str, name: str = "evalharness.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_of_a_whole_manifest_is_read(tmp_path):
    manifest = read_manifest(write(tmp_path, WHOLE))
    assert manifest.path == tmp_path / "evalharness.toml"
    assert manifest.model.args == {"layers": 8, "sizes": [1, 2]}
    assert manifest.model.weights == tmp_path / "v1_best.pt"
    assert manifest.model.tokenizer == "tokenizer.json"
    assert manifest.model.end_tokens == ("<|endoftext|>", 3)
    assert manifest.model.attention == "prefix"
    assert manifest.data.train == tmp_path / "v2_train.jsonl"
    assert manifest.data.validation == Path("/data/v2_val.jsonl")
    assert manifest.loss.label_smoothing == 0.1
    assert manifest.log.path == (tmp_path / "train.log",)
    assert manifest.score == {
        "problems": ("humaneval", str(tmp_path / "mine/own.jsonl")),
        "samples": 4,
        "temperature": 1.0,
        "k": (1,),
        "out": tmp_path / "reports",
        "packages": ("numpy",),
        "stop_loops": False,
        "problem_paths": {"mbpp": tmp_path / "data/mbpp.jsonl"},
    }
    assert manifest.notes == ()


def test_an_old_name_still_works_with_one_line_of_warning(tmp_path, golden_text):
    manifest = read_manifest(write(tmp_path, '[score]\nmbpp = "data/mbpp.jsonl"\nsamples = 2\n'))
    assert manifest.score == {"samples": 2, "problem_paths": {"mbpp": tmp_path / "data/mbpp.jsonl"}}
    (note,) = manifest.notes
    golden_text(note)


def test_a_setting_that_a_manifest_must_not_give_says_where_it_can_be_given(tmp_path, golden_text):
    with pytest.raises(ManifestError) as caught:
        read_manifest(write(tmp_path, "[score]\ntrust = true\n"))
    assert [fault.name for fault in caught.value.faults] == ["trust"]
    golden_text(caught.value.faults[0].problem)


def test_the_nearest_manifest_wins(tmp_path):
    write(tmp_path, "[model]\ncontext_length = 1\n")
    near = write(tmp_path / "run", "[model]\ncontext_length = 2\n")
    (tmp_path / "run" / "steps").mkdir()
    for path in ("run/steps/step_1.pt", "run/steps", "run"):
        assert find_manifest(tmp_path / path).path == near
    assert find_manifest(tmp_path / "other.pt").model.context_length == 1


def test_a_manifest_of_its_own_wins_over_the_project_file_beside_it(tmp_path):
    write(tmp_path, "[tool.evalharness.model]\ncontext_length = 1\n", "pyproject.toml")
    assert find_manifest(tmp_path / "m.pt").model.context_length == 1
    write(tmp_path, "[model]\ncontext_length = 2\n")
    assert find_manifest(tmp_path / "m.pt").model.context_length == 2


def test_a_project_file_that_is_not_for_us_is_passed_over(tmp_path):
    write(tmp_path, "[model]\ncontext_length = 3\n")
    write(tmp_path / "a", "[tool.ruff]\nline-length = 9\n", "pyproject.toml")
    write(tmp_path / "a" / "b", "this is [not TOML\n", "pyproject.toml")
    assert find_manifest(tmp_path / "a" / "b" / "m.pt").model.context_length == 3


def test_without_a_manifest_all_settings_are_empty(tmp_path):
    manifest = find_manifest(tmp_path / "m.pt")
    assert manifest == Manifest(path=None, folder=tmp_path)
    assert manifest.model.prompt_template == "{prompt}"


def test_the_manifest_beside_a_link_counts_and_not_the_one_beside_its_target(tmp_path):
    write(tmp_path / "store", "[model]\ncontext_length = 1\n")
    write(tmp_path / "run", "[model]\ncontext_length = 2\n")
    (tmp_path / "store" / "m.pt").touch()
    (tmp_path / "run" / "best.pt").symlink_to(tmp_path / "store" / "m.pt")
    assert find_manifest(tmp_path / "run" / "best.pt").model.context_length == 2


def test_all_faults_are_gathered_in_one_line(tmp_path):
    path = write(
        tmp_path,
        '[model]\ncontxt_length = 8\ncontext_length = "abc"\nattention = "caual"\n[modle]\nx = 1\n'
        "[score]\nsamples = true\npackages = 3\n[loss]\ncount_prompt = 1\n",
    )
    with pytest.raises(ManifestError) as caught:
        find_manifest(tmp_path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    for fault in (
        "[model] context_length: 'abc' is not a whole number",
        "[model] contxt_length: no setting 'contxt_length'; did you mean 'context_length'?",
        "[model] attention: 'caual' is not one of causal or prefix; did you mean 'causal'?",
        "[modle]: no such section; did you mean 'model'?",
        "[score] samples: True is not a whole number of 0 or more",
        "[score] packages: 3 is not a text, or a list of them",
        "[loss] count_prompt: 1 is not true or false",
    ):
        assert fault in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[score]\ntop_p = 1.5", r"\[score\] top_p: 1.5 is not a fraction above 0 and up to 1"),
        ("[score]\nk = [0, 1]", r"\[score\] k: \[0, 1\] is not a whole number of 1 or more, or a list"),
        ("[score]\nsamples = -1", r"samples: -1 is not a whole number of 0 or more"),
        ("[score]\nsamples = 1.5", r"samples: 1.5 is not a whole number"),
        ("[loss]\nlabel_smoothing = 2", r"label_smoothing: 2 is not a fraction from 0 to 1; did you mean 0.02"),
        ('[model]\nargs = { a = 1 }\nconfig = "a.json"', r"args and config are both given"),
        ('[model]\nprompt_template = "{prmpt}"', r"prompt_template: '{prmpt}' does not contain {prompt}"),
        ("[model]\nargs = 3", r"args: 3 is not a table"),
        ("[log]\npath = [1]", r"path: \[1\] is not a path, or a list of them"),
        ("model = 3", r"\[model\]: 3 is not a table"),
        ("[model\n", r"is not valid TOML"),
    ],
)
def test_a_value_that_can_not_be_is_named_with_what_was_expected(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(ManifestError, match=message):
        find_manifest(tmp_path)


def test_faults_of_a_project_file_name_its_table(tmp_path, golden_text):
    write(tmp_path, "[tool.evalharness.score]\nsample = 3\n", "pyproject.toml")
    with pytest.raises(ManifestError) as error:
        find_manifest(tmp_path)
    golden_text(error)
    write(tmp_path, "[tool]\nevalharness = 3\n", "pyproject.toml")
    with pytest.raises(ManifestError) as error:
        find_manifest(tmp_path)
    golden_text(error)


def test_importing_the_module_does_not_import_pydantic():
    program = "import sys, evalharness.settings.manifest; sys.exit('pydantic' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_the_checkpoints_package_does_not_import_torch():
    program = "import sys, evalharness.models.torch; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
