"""What somebody new to the commands does wrong, and what the commands say then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.errors import CheckpointError, EvalHarnessError, StoreError
from evalharness.pipeline.analysing import FENCE_TAKEN, analyse_files
from evalharness.pipeline.comparing import compare
from evalharness.pipeline.extracting import code_of_answer
from evalharness.pipeline.loading import check_k, load_problem_sets
from evalharness.pipeline.run_report import renew_report
from evalharness.pipeline.series import steps_of
from evalharness.progress import Silent
from evalharness.report.comparison_report import _p
from evalharness.settings.manifest import Manifest
from evalharness.settings.score import resolve
from evalharness.statistics import LEAST_P

OLD = Path(__file__).parent / "runs" / "old_scorecards"
PROBLEM = '{"task_id": "T/%s", "prompt": "def f():\\n", "entry_point": "f", "canonical_solution": "    return 1\\n", '
PROBLEM += '"test": "def check(candidate):\\n    assert candidate() == 1\\n"}\n'


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def options(**asked):
    return resolve(asked, {}, {})


def test_a_pass_at_k_without_enough_samples_is_said_and_where_none_is_left_an_error():
    heard = Heard()
    check_k(options(samples=2, k=(1, 4)), heard)
    assert len(heard.said) == 1
    assert "pass@4" in heard.said[0]
    check_k(options(samples=4, k=(1, 4)), heard)
    check_k(options(samples=0, k=(1,)), heard)
    assert len(heard.said) == 1
    with pytest.raises(EvalHarnessError, match="pass@4"):
        check_k(options(samples=2, k=(4, 8)), heard)


def test_only_the_problem_sets_that_share_a_task_are_named(tmp_path):
    for name, task in (("a", "1"), ("b", "2"), ("c", "1")):
        (tmp_path / f"{name}.jsonl").write_text(PROBLEM % task)
    paths = [str(tmp_path / f"{name}.jsonl") for name in "abc"]
    with pytest.raises(EvalHarnessError) as error:
        load_problem_sets(options(problems=paths))
    assert [path in str(error.value) for path in paths] == [True, False, True]


def test_a_file_is_not_taken_for_a_folder_that_is_missing(tmp_path, golden_text):
    file = tmp_path / "ckpt_500.pt"
    file.write_bytes(b"")
    with pytest.raises(CheckpointError) as of_run:
        steps_of(file, Manifest(None, tmp_path))
    with pytest.raises(StoreError) as of_report:
        renew_report(file)
    golden_text([str(of_run.value), str(of_report.value)])


def test_a_folder_of_reports_is_compared_by_the_run_in_it(tmp_path, golden_text):
    for name in ("leaky", "causal"):
        step = tmp_path / name / "run" / "step_1000"
        step.mkdir(parents=True)
        (step / "scorecard.json").write_text((OLD / f"{name}_version_4.json").read_text())
    sides = [tmp_path / "leaky", tmp_path / "causal"]
    with pytest.raises(StoreError) as nothing_shared:  # both were found: of these scores no completions are kept
        compare(sides, {})
    (tmp_path / "leaky" / "other").symlink_to(tmp_path / "causal" / "run")
    with pytest.raises(StoreError) as two_runs:
        compare(sides, {})
    golden_text([str(nothing_shared.value), str(two_runs.value)])


def test_a_p_value_at_the_floor_of_its_test_is_a_bound():
    assert _p(LEAST_P).startswith("≤")
    assert _p(2 * LEAST_P)[0].isdigit()


def test_mbpp_without_a_network_fails_soon(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    code = "import time; from evalharness.problems.mbpp import download\nbegin = time.monotonic()\n"
    code += "try: download()\nexcept Exception: print(time.monotonic() - begin < 15)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


ANSWER = "Sure:\n```python\ndef f():\n    return 1\n```\nHope it helps!\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ANSWER, "def f():\n    return 1\n"),
        ("    return '```'\n", "    return '```'\n"),
        ("Sure:\n```\nno code at all\n```\n", "Sure:\n```\nno code at all\n```\n"),
    ],
)
def test_the_code_of_a_chat_answer_is_taken_from_its_fence(text, code):
    assert code_of_answer(text, "def f():\n", "f", "python") == code


def test_analyse_measures_the_code_of_chat_answers_if_asked_to(tmp_path):
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps({"task_id": f"T/{i}", "completion": ANSWER}) + "\n" for i in range(2)))
    whole, code = (analyse_files([file], extract=extract).files[0] for extract in ("never", "auto"))
    assert [c.degeneration.validity.alone for c in whole.completions] == [False, False]
    assert [c.degeneration.validity.alone for c in code.completions] == [True, True]
    assert any(note.startswith(FENCE_TAKEN) for note in code.notes)
