"""Where settings come from: command line over environment over evalharness.toml over pyproject.toml over defaults."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from small_folder import ROOT

from evalharness.commands.doctor import settings_found
from evalharness.errors import EvalHarnessError
from evalharness.gate.decision import resolve_gate
from evalharness.settings.environment import from_environment, unknown_variables
from evalharness.settings.manifest import SECTIONS, GateSettings, ScoreSettings, find_manifest, read_manifest
from evalharness.settings.manifest_schema import schema
from evalharness.settings.score_options import resolve


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose file sets three things, and a checkpoint's folder whose manifest sets two of them."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.evalharness.score]\nsamples = 1\nseed = 1\nlimit = 1\n[tool.evalharness.gate]\nmax_loop_rate = 0.5\n"
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evalharness.toml").write_text("[score]\nsamples = 2\nseed = 2\n")
    return tmp_path


def test_each_place_goes_over_the_next(project):
    manifest = find_manifest(project / "run" / "model.pt")
    options = resolve(
        {"samples": 4, "seed": None}, manifest.score, {"EVALHARNESS_SEED": "3", "EVALHARNESS_SAMPLES": "3"}
    )
    assert (options.samples, options.seed, options.limit, options.top_p) == (4, 3, 1, 1.0)
    assert resolve({}, manifest.score, {}).samples == 2
    assert resolve_gate({}, manifest.gate, {}).max_loop_rate == 0.5
    assert resolve_gate({}, manifest.gate, {"EVALHARNESS_MAX_LOOP_RATE": "0.1"}).max_loop_rate == 0.1


def test_the_projects_file_counts_for_a_checkpoint_that_lies_elsewhere(project, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(project)
    assert find_manifest(elsewhere / "model.pt").gate.max_loop_rate == 0.5
    assert find_manifest(elsewhere / "model.pt").path is None


def test_the_model_is_that_of_one_file_alone(project):
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.evalharness.model]\ncontext_length = 7\n")
    assert find_manifest(project / "run" / "model.pt").model.context_length is None
    assert find_manifest(project / "model.pt").model.context_length == 7


def test_doctor_shows_each_value_and_where_it_came_from(project, monkeypatch):
    monkeypatch.chdir(project)
    found = settings_found(project / "run", {"EVALHARNESS_SEED": "3", "EVALHARNESS_SAMPELS": "9"})
    assert found["seed"] == "3  (EVALHARNESS_SEED)"
    assert found["samples"] == f"2  ([score] of {project / 'run' / 'evalharness.toml'})"
    assert found["limit"] == f"1  ([score] of {project / 'pyproject.toml'})"
    assert found["max_loop_rate"] == f"0.5  ([gate] of {project / 'pyproject.toml'})"
    assert found["problems"] == "humaneval,warmup  (default)"
    assert found["baseline"] == "not set  (default)"
    assert found["EVALHARNESS_SAMPELS"] == "is no setting; nearest: EVALHARNESS_SAMPLES"


def test_values_of_every_type_are_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    environment = {
        "EVALHARNESS_PROBLEMS": "warmup, mine/own.jsonl",
        "EVALHARNESS_K": "1,4",
        "EVALHARNESS_TEMPERATURE": "0.5",
        "EVALHARNESS_OUT": "there",
        "EVALHARNESS_DEVICE": "cpu",
        "EVALHARNESS_LIMIT": "",
    }
    assert from_environment(ScoreSettings, environment) == {
        "problems": ("warmup", str(tmp_path / "mine/own.jsonl")),
        "k": (1, 4),
        "temperature": 0.5,
        "out": tmp_path / "there",
        "device": "cpu",
    }
    gate = from_environment(GateSettings, {"EVALHARNESS_NO_COLLAPSE": "true", "EVALHARNESS_CHECKS": "ends_by_itself"})
    assert gate == {"no_collapse": True, "checks": ("ends_by_itself",)}


def test_values_that_can_not_be_read_are_gathered_in_one_line():
    environment = {"EVALHARNESS_SAMPLES": "many", "EVALHARNESS_TOP_P": "x"}
    with pytest.raises(EvalHarnessError) as caught:
        from_environment(ScoreSettings, environment)
    text = str(caught.value)
    assert "EVALHARNESS_SAMPLES='many' is not a whole number; EVALHARNESS_TOP_P='x' is not a number" in text


def test_variables_of_this_projects_own_tests_are_no_mistakes():
    assert unknown_variables({"EVALHARNESS_FULL": "1", "EVALHARNESS_SEED": "1", "HOME": "/"}) == {}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"min_pass_at_1": 5}, r"--min-pass-at-1 5: expected a share of 1"),
        ({"level": -1, "tolerance": 2}, r"--level -1.*; --tolerance 2"),
        ({"checks": ("no_colapse",)}, r"--checks no_colapse: expected no_mode_collapse, "),
        ({"judge_by": "luck"}, r"--judge-by luck: expected point or bound"),
    ],
)
def test_what_a_gate_can_not_be_held_to_is_told_in_one_line(asked, message):
    with pytest.raises(EvalHarnessError, match=message):
        resolve_gate(asked, GateSettings(), {})


def test_the_packaged_schema_is_that_of_the_settings():
    # To renew it after a change of the settings: write json.dumps(schema(), indent=2) + "\n" to the file named here.
    packaged = resources.files("evalharness").joinpath("evalharness.schema.json").read_text(encoding="utf-8")
    assert packaged == json.dumps(schema(), indent=2) + "\n"


def test_every_setting_is_in_the_schema_with_its_limits():
    sections = schema()["properties"]
    assert set(sections) == set(SECTIONS)
    assert sections["score"]["properties"]["samples"] == {"type": "integer", "minimum": 0}
    assert sections["gate"]["properties"]["judge_by"] == {"enum": ["point", "bound"]}
    one_or_more = {"type": "string"}
    assert sections["score"]["properties"]["problems"]["anyOf"] == [
        one_or_more,
        {"type": "array", "items": one_or_more},
    ]
    assert sections["model"]["properties"]["prompt_template"]["default"] == "{prompt}"


def test_the_shipped_manifests_name_only_keys_of_the_schema():
    import tomllib

    for name in ("leaky", "causal"):
        path = ROOT / "checkpoints" / name / "evalharness.toml"
        read_manifest(path)
        for section, keys in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert keys.keys() <= schema()["properties"][section]["properties"].keys()
