"""Settings: one declaration each, what is derived from it, where values come from, and how a wrong one is reported."""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
from click.testing import CliRunner
from small_folder import ROOT

import evalharness
from evalharness.commands.doctor import resolved_settings
from evalharness.commands.group import cli
from evalharness.commands.options import Numbers, Several, settings_options
from evalharness.errors import EvalHarnessError, ManifestError, SettingError
from evalharness.gate import checks
from evalharness.integrations.beside import Beside
from evalharness.pipeline import freshness
from evalharness.plugin.options import add_options
from evalharness.records import PROTOCOL_FIELDS
from evalharness.settings.amounts import bytes_of
from evalharness.settings.declaration import (
    names,
    names_held_equal,
    recorded,
    setting,
    settings_in,
    settings_of,
)
from evalharness.settings.environment import from_environment, unknown_variables, variable
from evalharness.settings.gate import CheckName, GateOptions, resolve_gate
from evalharness.settings.manifest import PROBLEMS, SECTIONS, find_manifest, read_manifest
from evalharness.settings.manifest_schema import schema
from evalharness.settings.score import ScoreOptions, ScoreSettings, resolve
from evalharness.settings.values import COMMAND_LINE, PYTHON, Way, laid_over, option, read


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose file sets three things, and a checkpoint's folder whose manifest sets two of them."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.evalharness.score]\nsamples = 1\nseed = 1\nlimit = 1\n[tool.evalharness.gate]\nmax_loop_rate = 0.5\n"
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evalharness.toml").write_text("[score]\nsamples = 2\nseed = 2\n")
    return tmp_path


@dataclass(frozen=True, slots=True)
class OneMore(ScoreOptions):
    """The settings of a score with one that is made up."""

    min_p: float = setting(
        0.0, at_least=0, below=1, affects="completions", held_equal=True, help="Leave out improbable tokens."
    )


def test_a_list_given_twice_is_one_list() -> None:
    @click.command()
    @settings_options("problems", "temperature")
    @click.option("--steps", type=Numbers(), cls=Several)
    def command(asked: dict[str, Any], steps: tuple[int, ...] | None) -> None:
        click.echo(json.dumps([asked.get("problems"), steps]))

    def given(*arguments: str) -> list[Any]:
        return json.loads(CliRunner().invoke(command, arguments).output)

    assert given("--problems", "humaneval,mbpp", "--problems", "warmup", "--steps", "1", "--steps", "2,3") == [
        ["humaneval", "mbpp", "warmup"],
        [1, 2, 3],
    ]
    assert given() == [None, None]


def test_a_setting_that_is_declared_once_is_everywhere(tmp_path: Path, golden_text) -> None:
    @click.command()
    @settings_options(owner=OneMore)
    def command(asked: dict[str, Any]) -> None:
        click.echo(asked["min_p"])

    runner = CliRunner()
    assert runner.invoke(command, ["--min-p", "0.25"]).output == "0.25\n"
    assert "Leave out improbable tokens.  [0.0]" in " ".join(runner.invoke(command, ["--help"]).output.split(" " * 18))

    parser = pytest.Parser(_ispytest=True)
    add_options(parser, (OneMore, GateOptions))
    assert parser.parse(["--evalharness-min-p=0.25"]).evalharness_min_p == "0.25"
    assert "evalharness_min_p" in parser._inidict

    assert from_environment(OneMore, {"EVALHARNESS_MIN_P": "0.25"}) == {"min_p": 0.25}
    written = schema({**SECTIONS, "score": OneMore})["properties"]["score"]["properties"]["min_p"]
    assert written == {
        "description": "Leave out improbable tokens.",
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.0,
    }
    manifest_way = Way("manifest", "[score] {}".format, texts=False, folder=tmp_path)
    assert read(OneMore, {"min_p": 0.25}, manifest_way) == {"min_p": 0.25}
    with pytest.raises(SettingError) as caught:
        read(OneMore, {"min_p": 2}, PYTHON)
    golden_text(caught)

    one, other = (laid_over(OneMore, {"min_p": value}) for value in (0.0, 0.25))
    assert freshness.key_of(one) != freshness.key_of(other)
    assert "min_p" in names(OneMore, "completions")
    assert "min_p" in names_held_equal(OneMore)
    assert recorded(other)["min_p"] == 0.25


def test_settings_that_affect_nothing_change_no_stamp() -> None:
    unaffected = {
        "batch_size": 8,
        "pass_memory": "2GB",
        "replicas": 2,
        "concurrency": 2,
        "workers": 2,
        "ray": "auto",
        "out": "there",
        "step": 7,
        "trust": True,
    }
    assert freshness.key_of(resolve(unaffected, {}, {})) == freshness.key_of(resolve({}, {}, {}))
    assert {*settings_of(ScoreOptions)} - {*names(ScoreOptions, "completions", "score", "back_end")} == {*unaffected}


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_p", 0.5), ("top_k", 5), ("stop_loops", False), ("packages", ("numpy",)), ("k", (1,)), ("limit", 3)],
)
def test_scores_that_differ_in_one_setting_have_a_folder_and_a_stamp_each(name: str, value: Any) -> None:
    from evalharness.plugin.session import folder_key

    one, other = resolve({}, {}, {}), resolve({name: value}, {}, {})
    assert folder_key(Path("m"), one) != folder_key(Path("m"), other)
    assert freshness.key_of(one) != freshness.key_of(other)


def test_what_must_be_equal_to_compare_is_kept_with_a_score() -> None:
    kept = {*recorded(ScoreOptions())}
    assert {*names_held_equal(ScoreOptions)} <= kept
    assert {"samples", "temperature", "seed", "packages"} <= {*names_held_equal(ScoreOptions)} & PROTOCOL_FIELDS
    assert "problem_paths" not in kept, "a report tells nothing of the machine"


def test_the_typed_settings_are_those_of_the_declaration() -> None:
    assert [*get_type_hints(ScoreSettings)] == [*settings_in(ScoreOptions, "python")]
    parameters = inspect.signature(evalharness.score).parameters
    assert [*parameters] == ["path", *settings_in(ScoreOptions, "python")]
    assert parameters["samples"].default == 4
    assert parameters["samples"].annotation is int


def test_the_names_of_the_checks_are_those_that_there_are() -> None:
    assert get_args(CheckName) == checks.NAMES


def test_every_default_is_a_value_that_may_be_given() -> None:
    for owner in (ScoreOptions, GateOptions):
        defaults = {name: found.default for name, found in settings_of(owner).items()}
        assert owner(**read(owner, {name: v for name, v in defaults.items() if v not in (None, ())}, PYTHON)) == owner()


def test_each_place_wins_over_the_next(project: Path) -> None:
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
    assert find_manifest(elsewhere / "model.pt").gate["max_loop_rate"] == 0.5
    assert find_manifest(elsewhere / "model.pt").path is None


def test_the_model_is_that_of_one_file_alone(project):
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.evalharness.model]\ncontext_length = 7\n")
    assert find_manifest(project / "run" / "model.pt").model.context_length is None
    assert find_manifest(project / "model.pt").model.context_length == 7


def test_doctor_shows_each_value_and_where_it_came_from(project, monkeypatch, golden_text):
    monkeypatch.chdir(project)
    found = resolved_settings(project / "run", {"EVALHARNESS_SEED": "3", "EVALHARNESS_SAMPELS": "9"})
    shown = ("seed", "samples", "limit", "max_loop_rate", "problems", "baseline", "EVALHARNESS_SAMPELS")
    golden_text(f"{name}: {found[name]}" for name in shown)


TEXTS = {
    "problems": ("warmup, mine/own.jsonl", ("warmup", "{here}/mine/own.jsonl")),
    "k": ("1,4", (1, 4)),
    "temperature": ("0.5", 0.5),
    "out": ("there", Path("{here}/there")),
    "device": ("cpu", "cpu"),
    "stop_loops": ("no", False),
    "packages": ("numpy", ("numpy",)),
    "problem_paths": ("mbpp=a/mbpp.jsonl", {"mbpp": Path("{here}/a/mbpp.jsonl")}),
}


def test_values_of_every_type_are_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    environment = {variable(name): text for name, (text, _) in TEXTS.items()} | {"EVALHARNESS_LIMIT": ""}
    expected = json.loads(json.dumps({name: value for name, (_, value) in TEXTS.items()}, default=str))
    found = json.loads(json.dumps(from_environment(ScoreOptions, environment), default=str))
    assert found == json.loads(json.dumps(expected).replace("{here}", str(tmp_path)))
    gate = from_environment(GateOptions, {"EVALHARNESS_NO_COLLAPSE": "true", "EVALHARNESS_CHECKS": "ends_by_itself"})
    assert gate == {"no_collapse": True, "checks": ("ends_by_itself",)}


def test_variables_of_this_projects_own_tests_are_no_mistakes():
    environment = {"EVALHARNESS_FULL": "1", "EVALHARNESS_SEED": "1", "EVALHARNESS_MBPP": "x", "HOME": "/"}
    assert unknown_variables(environment, (ScoreOptions, GateOptions), ["mbpp"]) == {}
    assert unknown_variables({"EVALHARNESS_MPBB": "x"}, (ScoreOptions,), ["mbpp"]) == {
        "EVALHARNESS_MPBB": "EVALHARNESS_MBPP"
    }


WRONG: dict[str, tuple[str, Any]] = {
    "samples": ("-1", -1),
    "temperature": ("0", 0),
    "top_p": ("50", 50),
    "k": ("0", 0),
    "dtype": ("int3", "int3"),
    "seed": ("many", "many"),
    "base_url": ("localhost:8000/v1", "localhost:8000/v1"),
    "stop_loops": ("maybe", "maybe"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_gives_the_same_sentence_whichever_way_it_came(tmp_path: Path, name: str) -> None:
    text, value = WRONG[name]
    (tmp_path / "evalharness.toml").write_text(f"[score]\n{name} = {json.dumps(value)}\n")

    def reported(call: Any) -> tuple[str, str]:
        with pytest.raises((SettingError, ManifestError)) as caught:
            call()
        (fault,) = caught.value.faults
        assert (fault.name, caught.value.exit_code, "\n" in str(caught.value)) == (name, 2, False)
        return fault.called, fault.problem

    pytest_way = Way("pytest", "--evalharness-{}".format, texts=True)
    found = dict(
        [
            reported(lambda: read(ScoreOptions, {name: text}, COMMAND_LINE)),
            reported(lambda: from_environment(ScoreOptions, {variable(name): text})),
            reported(lambda: read_manifest(tmp_path / "evalharness.toml")),
            reported(lambda: evalharness.score("nowhere", **{name: value})),
            reported(lambda: Beside(**{name: value})),
            reported(lambda: read(ScoreOptions, {name: text}, pytest_way)),
        ]
    )
    assert {*found} == {option(name), variable(name), f"[score] {name}", f"{name}=", f"--evalharness-{name}"}
    assert len({*found.values()}) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"sampels": 3},
        {"samples": "3"},
        {"samples": True},
        {"top_p": 50},
        {"dtype": "floot32"},
        {"k": ()},
        {"problems": 3},
    ],
    ids=str,
)
def test_what_is_wrong_in_python_is_said_in_one_line(given: dict[str, Any], golden_text) -> None:
    with pytest.raises(SettingError) as caught:
        evalharness.score("nowhere", **given)
    golden_text(caught)


def test_a_single_value_stands_for_a_list_of_one() -> None:
    options = resolve({"k": 1, "problems": Path("own.jsonl"), "packages": ["numpy"], "out": "there"}, {}, {})
    assert (options.k, options.problems, options.packages) == ((1,), ("own.jsonl",), ("numpy",))
    assert options.out == Path("there")


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    options = resolve({"samples": np.int64(2), "temperature": np.float32(0.5)}, {}, {})
    assert (options.samples, type(options.samples), options.temperature) == (2, int, 0.5)


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(EvalHarnessError) as caught:
        from_environment(ScoreOptions, {"EVALHARNESS_SAMPLES": "many", "EVALHARNESS_TOP_P": "x"})
    assert [fault.called for fault in caught.value.faults] == ["EVALHARNESS_SAMPLES", "EVALHARNESS_TOP_P"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"min_pass_at_1": 5}, ["min_pass_at_1"]),
        ({"level": -1, "tolerance": 2}, ["level", "tolerance"]),
        ({"checks": ("no_colapse",)}, ["checks"]),
        ({"judge_by": "luck"}, ["judge_by"]),
        ({"max_loop_rate": 1}, ["max_loop_rate"]),
    ],
)
def test_what_a_gate_can_not_require_is_told_in_one_line(asked: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        resolve_gate(asked, {}, {})
    assert [fault.name for fault in caught.value.faults] == names


def test_beside_writes_options_that_the_command_has() -> None:
    settings = {
        "trust": False,
        "stop_loops": False,
        "problems": ["warmup", "own.jsonl"],
        "k": 1,
        "mbpp": "mbpp.jsonl",
        "top_p": 0.9,
        "limit": None,
    }
    arguments = Beside(**settings)._arguments
    command = cli.get_command(click.Context(cli), "score")
    assert command is not None
    parsed = command.make_context("score", ["model.pt", *arguments]).params
    given = {name: value for name, value in parsed.items() if value is not None and name in settings_of(ScoreOptions)}
    assert given == {
        "device": "cpu",
        "trust": False,
        "stop_loops": False,
        "problems": "warmup,own.jsonl",
        "k": "1",
        "problem_paths": "mbpp=mbpp.jsonl",
        "top_p": "0.9",
    }


def test_every_setting_can_be_given_on_the_command_line_and_to_beside() -> None:
    options = {name: found.default for name, found in settings_of(ScoreOptions).items() if found.default is not None}
    command = cli.get_command(click.Context(cli), "score")
    assert command is not None
    command.make_context("score", ["model.pt", *Beside(**options)._arguments])


@pytest.mark.parametrize(("text", "size"), [("500MB", 500_000_000), ("1.5GB", 1_500_000_000)])
def test_a_size_has_a_number_and_a_unit(text, size):
    assert bytes_of(read(ScoreOptions, {"pass_memory": text}, COMMAND_LINE)["pass_memory"]) == size


@pytest.mark.parametrize("text", ["4", "4gb", "0GB", "-1GB", "GB", "4 TB"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(SettingError, match="--pass-memory"):
        read(ScoreOptions, {"pass_memory": text}, COMMAND_LINE)


def test_the_packaged_schema_is_that_of_the_settings():
    # To renew it: write json.dumps(schema(), indent=2) + "\n" to the file named here.
    packaged = resources.files("evalharness.settings").joinpath("evalharness.schema.json").read_text(encoding="utf-8")
    assert packaged == json.dumps(schema(), indent=2) + "\n"


def test_every_setting_is_in_the_schema_with_its_limits():
    sections = schema()["properties"]
    assert set(sections) == {*SECTIONS, PROBLEMS}
    samples = sections["score"]["properties"]["samples"]
    assert (samples["type"], samples["minimum"], samples["default"]) == ("integer", 0, 4)
    assert sections["gate"]["properties"]["judge_by"]["enum"] == ["point", "bound"]
    one, many = sections["score"]["properties"]["problems"]["anyOf"]
    assert (one, many["items"], many["type"]) == ({"type": "string"}, {"type": "string"}, "array")
    assert sections["model"]["properties"]["prompt_template"]["default"] == "{prompt}"
    for section, owner in SECTIONS.items():
        assert [*sections[section]["properties"]] == [*settings_in(owner, "manifest")]


def test_the_shipped_manifests_name_only_keys_of_the_schema():
    import tomllib

    for name in ("leaky", "causal"):
        path = ROOT / "checkpoints" / name / "evalharness.toml"
        read_manifest(path)
        for section, keys in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert keys.keys() <= schema()["properties"][section]["properties"].keys()


def test_declaring_settings_imports_nothing_heavy():
    program = "import sys, evalharness.commands.score; sys.exit(bool({'pydantic', 'numpy', 'rich'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ScoreOptions().samples = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("asked", "k"),
    [
        ({}, (1, 4)),
        ({"samples": 2}, (1, 2)),
        ({"samples": 1}, (1,)),
        ({"samples": 0}, (1,)),
        ({"samples": 8, "k": 3}, (3,)),
    ],
)
def test_k_follows_the_number_of_samples_unless_it_is_given(asked, k):
    assert resolve(asked, {}, {}).k == k


def test_k_in_a_manifest_does_not_follow_the_number_of_samples():
    assert resolve({"samples": 8}, {"k": (2,)}, {}).k == (2,)
    assert resolve({}, {"samples": 8}, {}).k == (1, 8)
