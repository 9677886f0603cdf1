"""Logs that inspect_ai itself wrote; these tests skip where it isn't installed (it is no dependency)."""

import importlib.util
import json
import sys
import zipfile

import pytest

from evalharness.completion_files import read_completions
from evalharness.errors import CompletionFileError

needs_inspect = pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="inspect_ai isn't installed")


@pytest.fixture(params=["eval", "json"])
def log(request, tmp_path, monkeypatch):
    """A log of two samples and two epochs, of inspect_ai's own mock model."""
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.solver import generate

    monkeypatch.chdir(tmp_path)
    outputs = [
        ModelOutput.from_content("mockllm/model", text, stop_reason=reason)
        for text, reason in [("    return a + b\n", "stop"), ("x = 1\n" * 200, "max_tokens")]
    ]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else it counts them by download
    task = inspect_ai.Task(
        dataset=[Sample(id="own/0", input="def add(a, b):\n", target=""), Sample(id=7, input="def f():\n", target="")],
        solver=generate(),
    )
    model = get_model("mockllm/model", custom_outputs=outputs * 2)
    (log,) = inspect_ai.eval(
        task, model=model, epochs=2, log_dir=".", log_format=request.param, display="none", max_samples=1
    )
    assert log.status == "success"
    (path,) = tmp_path.glob(f"*.{request.param}")
    return path


@needs_inspect
@pytest.mark.filterwarnings("ignore")  # whatever inspect_ai does while it runs
def test_every_sample_and_epoch_of_a_real_log_is_read_with_its_prompt(log):
    file = read_completions(log)
    assert file.forms == {"inspect_ai": 4}
    found = {(c.task_id, c.completion_id): c for c in file.completions}
    assert found["own/0", 1].text == "    return a + b\n"
    assert (found["own/0", 0].prompt, found["own/0", 0].stop_reason) == ("def add(a, b):\n", "end_token")
    assert (found["7", 0].text, found["7", 0].stop_reason) == ("x = 1\n" * 200, "max_new_tokens")


@needs_inspect
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_log_is_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as file:
        file.writestr("header.json", "{}")
    with pytest.raises(CompletionFileError, match=r"x\.eval: inspect_ai can't read it: ") as raised:
        read_completions(tmp_path / "x.eval")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", [lambda data: data, lambda data: data[: len(data) // 2]])
def test_a_zip_that_is_no_log_is_one_line(tmp_path, damage, golden_text):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as file:
        file.writestr("archive/data.pkl", "x" * 500)
    (tmp_path / "model.pt").write_bytes(damage((tmp_path / "model.pt").read_bytes()))
    with pytest.raises(CompletionFileError) as raised:
        read_completions(tmp_path / "model.pt")
    golden_text(raised)
    assert "inspect_ai can't" not in str(raised.value)


@pytest.mark.parametrize("form", ["eval", "json"])
def test_without_inspect_ai_a_log_says_what_to_install(tmp_path, monkeypatch, form, golden_text):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    path = tmp_path / f"x.{form}"
    if form == "eval":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("header.json", "{}")
    else:
        path.write_text(json.dumps({"version": 2, "status": "success", "eval": {"task": "t"}, "samples": []}, indent=2))
    with pytest.raises(CompletionFileError) as error:
        read_completions(path)
    golden_text(error)
