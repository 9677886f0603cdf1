"""The command line: help, exit codes, streams, and one clear line for whatever is wrong."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from documentation import commands
from golden_text import lines_with
from small_folder import QUICK, Run

import evalharness
from evalharness.commands.group import COMMANDS, cli


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error, after whatever was said before it; never a traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("name", [name for names in COMMANDS.values() for name in names])
def test_every_help_has_an_example_and_the_exit_codes_and_plain_names_of_values(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0
    assert f"evalharness {name} " in done.output.split("\n", 1)[1]
    assert "\b" not in done.output
    (codes,) = re.findall(r"Exit codes: .*?\.\n", done.output, re.DOTALL)
    ones = {"1"} if name in {"gate", "preflight"} else set()
    assert set(re.findall(r"\b\d+\b", codes)) == {"0", "2", "3", "130"} | ones
    assert not re.findall(r"--\S+ (?:INTEGER|FLOAT|TEXT|RANGE)", done.output)


def test_help_groups_the_commands(run: Run) -> None:
    done = run("--help")
    assert [line for line in done.stdout.splitlines() if line.endswith(":") and not line.startswith(" ")] == [
        "Options:",
        "Everyday:",
        "Single stages:",
        "Set-up:",
    ]


def test_the_list_of_commands_says_what_their_own_help_says() -> None:
    listed = {name: text for commands in COMMANDS.values() for name, text in commands.items()}
    context = click.Context(cli)
    own = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    assert listed == {name: command.get_short_help_str(300) for name, command in own.items() if command is not None}


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from evalharness.commands.group import cli; "
        "done = CliRunner().invoke(cli, ['--help']); "
        "sys.exit(done.exit_code or any(name.startswith('evalharness.settings') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_is_told_by_the_command_and_by_the_package(run: Run) -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.split()[-1] == evalharness.__version__ == importlib.metadata.version("evalharness")


def test_importing_evalharness_and_its_help_import_no_torch() -> None:
    code = "import sys, evalharness, evalharness.commands.group; sys.exit(bool({'torch', 'numpy'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_documentations_commands_name_real_commands_and_options() -> None:
    known = {name: cli.get_command(click.Context(cli), name) for name in cli.list_commands(click.Context(cli))}
    assert {words[0] for words in commands()} == set(known), "and every command is shown"
    for name, *words in commands():
        command = known[name]
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= options, (name, *words)


BAD_INPUT = {
    "no such checkpoint": (["score", "mine/modle.pt"], 2, "mine/modle.pt: no such file or folder"),
    "no such checkpoint, with the nearest": (["score", "mine/modle.pt"], 2, "model.pt"),
    "an unknown problem set": (["score", "mine/model.pt", "--problems", "humanevil"], 2, "did you mean 'humaneval'"),
    "a value out of range": (
        ["score", "mine/model.pt", "--temperature", "0"],
        2,
        "--temperature: 0 is not a number above 0",
    ),
    "two values out of range": (
        ["score", "mine/model.pt", "--top-p", "2", "--samples", "-1"],
        2,
        "--samples: -1 is not",
    ),
    "an unknown option": (["score", "mine/model.pt", "--sample", "3"], 2, "--samples"),
    "an unknown command": (["scroe"], 2, "scroe"),
    "an unknown device": (["score", "mine/model.pt", "--device", "gpu"], 2, "gpu"),
    "an unknown dtype": (["score", "mine/model.pt", "--dtype", "int3"], 2, "int3"),
    "a step that is not there": (["score", "mine", "--step", "7"], 2, "7"),
    "a file to analyse that is not there": (["analyse", "nothing.jsonl"], 2, "nothing.jsonl: can't be read"),
    "a folder without completions": (["analyse", "mine/__none__"], 2, "mine/__none__: can't be read"),
    "a checkpoint among completions": (
        ["analyse", "mine/model.pt"],
        2,
        "model.pt: a zip archive, but not a log of inspect_ai",
    ),
    "a file that holds none": (["analyse", "mine/own.jsonl"], 2, "line 1 has the keys task_id, prompt"),
    "an unknown problem set to analyse by": (["analyse", "x", "--problems", "mpbb"], 2, "unknown problem set 'mpbb'"),
    "a tokenizer that is not there": (["analyse", "x", "--tokenizer", "t.json"], 2, "t.json: no such tokenizer file"),
    "a file of completions that is not there": (["execute", "nothing.jsonl"], 2, "nothing.jsonl: can't be read"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_an_exit_code(run: Run, name: str) -> None:
    arguments, code, expected = BAD_INPUT[name]
    done = run(*arguments)
    assert (done.returncode, expected in done.stderr) == (code, True), done.stderr
    only_line(done)


def test_a_corrupt_weight_file_is_one_line(run: Run, model_folder: Path, golden_text) -> None:
    data = (model_folder / "model.pt").read_bytes()
    (model_folder / "model.pt").write_bytes(data[: len(data) // 2])
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 2
    golden_text(only_line(done), {"(?<=torch.save: ).*": "<what torch says>"})


def test_a_mistyped_manifest_key_names_the_nearest(run: Run, model_folder: Path, golden_text) -> None:
    text = (model_folder / "evalharness.toml").read_text()
    (model_folder / "evalharness.toml").write_text(text.replace("end_tokens", "end_token"))
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 2
    golden_text(only_line(done))


def test_a_broken_line_of_problems_is_named_by_its_number(run: Run, model_folder: Path, golden_text) -> None:
    with (model_folder / "own.jsonl").open("a") as file:
        file.write('{"task_id": "own/9", \n')
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 2
    golden_text(only_line(done))


def test_a_broken_line_of_data_is_told_before_anything_is_generated(run: Run, model_folder: Path, golden_text) -> None:
    (model_folder / "val.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 2
    golden_text(only_line(done))
    assert "completions to make" not in done.stderr


def test_a_manifest_from_elsewhere_needs_trust(run: Run, model_folder: Path, tmp_path: Path, golden_text) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run("score", model_folder / "model.pt", "--limit", "1", cwd=elsewhere)
    assert done.returncode == 2
    golden_text(only_line(done))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(run: Run, model_folder: Path) -> None:
    locked = model_folder.parent / "locked"
    locked.mkdir(mode=0o500)
    done = run("score", "mine/model.pt", *QUICK, "--out", "locked")
    assert done.returncode == 2
    assert "can't be written" in only_line(done)


def test_an_out_folder_that_is_a_file_is_one_line(run: Run, model_folder: Path, golden_text) -> None:
    (model_folder.parent / "taken").write_text("")
    done = run("score", "mine/model.pt", *QUICK, "--out", "taken")
    assert done.returncode == 2
    golden_text(only_line(done))


def test_a_full_disk_is_one_line_and_nothing_already_written_is_lost(run: Run, model_folder: Path, golden_text) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); "
        "from evalharness.__main__ import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-B", "-c", code, "score", "mine/model.pt", *QUICK]
    done = subprocess.run(command, cwd=model_folder.parent, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 2, done.stderr
    golden_text(only_line(done))
    journal = model_folder.parent / "reports/mine/final/.journal/completions.jsonl"
    kept = [json.loads(line) for line in journal.read_text().splitlines()[:-1]]
    assert kept
    again = run("score", "mine/model.pt", *QUICK)
    assert again.returncode == 0
    assert len(kept) == int(re.search(r"(\d+) kept", again.stderr)[1])


def test_debug_shows_the_traceback(run: Run) -> None:
    assert "Traceback" in run("--debug", "score", "nowhere").stderr


def test_execute_writes_human_evals_results_with_the_verdict(run: Run, model_folder: Path, golden_text) -> None:
    rows = [
        {"task_id": "own/0", "completion": "    return a + b\n"},
        {"task_id": "own/0", "completion": "    return a - b\n"},
        {"task_id": "own/1", "completion": "    return a * b\n"},
    ]
    (model_folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/own.jsonl", "--k", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'pass@1': 0.75}"
    golden_text(lines_with("not in the file", done.stdout))
    results = [json.loads(line) for line in (model_folder / "samples.jsonl_results.jsonl").read_text().splitlines()]
    assert [r["passed"] for r in results] == [True, False, True]
    assert results[0] == {**rows[0], "result": "passed", "passed": True, "verdict": "passed"}
    assert results[1]["result"].startswith("failed: AssertionError")


def test_execute_says_which_k_that_was_asked_for_it_can_not_give(run: Run, model_folder: Path, golden_text) -> None:
    (model_folder / "samples.jsonl").write_text('{"task_id": "own/0", "completion": "    return a + b\\n"}\n' * 2)
    asked, default = (
        run("execute", "mine/samples.jsonl", "--problems", "mine/own.jsonl", *k) for k in (("--k", "1,2,10"), ())
    )
    golden_text(lines_with("no pass@", asked.stdout))
    assert "no pass@" not in default.stdout


def test_execute_judges_human_evals_own_example_to_its_published_figure(
    run: Run, model_folder: Path, golden_text
) -> None:
    # The two example files in the data folder of github.com/openai/human-eval, whose README gives the figure, with a
    # longer sleep: on a very busy machine the time limit grows.
    test = "def check(candidate):\n    assert candidate() == 1"
    problem = {"task_id": "test/0", "prompt": "def return1():\n", "entry_point": "return1", "test": test}
    bodies = [
        "    import subprocess\n    subprocess.check_output('rm -rf tmp')",
        "    import time\n    time.sleep(1000)\n    return 1",
        "    return input('enter a number')",
        "    return 1",
        "  return 1",
        "\treturn 1",
    ]
    rows = "".join(json.dumps({"task_id": "test/0", "completion": body}) + "\n" for body in bodies)
    (model_folder / "samples.jsonl").write_text(rows)
    (model_folder / "example.jsonl").write_text(json.dumps({**problem, "canonical_solution": "    return 1"}) + "\n")
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/example.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'pass@1': 0.4999999999999999}"
    golden_text(lines_with("passed, ", done.stdout))


def test_execute_says_where_programs_ran_and_whose_own_solution_fails(
    run: Run, model_folder: Path, golden_text
) -> None:
    row = {"task_id": "own/0", "prompt": "def f():\n", "entry_point": "f", "canonical_solution": "    return 2\n"}
    problem = {**row, "test": "def check(f):\n    assert f() == 1\n"}
    (model_folder / "wrong.jsonl").write_text(json.dumps(problem) + "\n")
    (model_folder / "samples.jsonl").write_text('{"task_id": "own/0", "completion": "    return 1\\n"}\n')
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/wrong.jsonl", "--sandbox", "none", "--k", "1")
    assert done.returncode == 3
    golden_text(lines_with("isolation: ", done.stdout))
    golden_text(lines_with("canonical solution", done.stdout))


@pytest.mark.parametrize(
    ("option", "value"),
    [("--packages", "nosuch"), ("--packages", "jinja2"), ("--sandbox", "Z"), ("--k", "0"), ("--workers", "0")],
)
def test_execute_refuses_settings_under_which_nothing_could_pass(
    run: Run, model_folder: Path, option: str, value: str, golden_text
) -> None:
    (model_folder / "samples.jsonl").write_text('{"task_id": "own/0", "completion": ""}\n')
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/own.jsonl", option, value)
    assert done.returncode == 2
    golden_text(done.stderr)


def test_execute_reads_whole_programs_as_evalplus_writes_them(run: Run, model_folder: Path) -> None:
    row = {"task_id": "own/0", "solution": "def add(a, b):\n    return b + a\n"}
    (model_folder / "samples.jsonl").write_text(json.dumps(row) + "\n")
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/own.jsonl", "--k", "1", "--json")
    assert json.loads(done.stdout)["outcomes"] == {"passed": 1}


def test_execute_names_a_task_that_is_not_in_the_problem_set(run: Run, model_folder: Path, golden_text) -> None:
    (model_folder / "samples.jsonl").write_text('{"task_id": "other/1", "completion": ""}\n')
    done = run("execute", "mine/samples.jsonl", "--problems", "mine/own.jsonl")
    assert done.returncode == 2
    golden_text(only_line(done))


def test_analyse_prints_one_object_a_completion_and_a_summary_last(run: Run, model_folder: Path, golden_text) -> None:
    rows = [{"index": 1, "output": "\n" * 200}, {"index": 2, "output": "    return a + b\n"}]
    (model_folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("analyse", "mine/texts.jsonl", "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert objects[0]["degenerate"] is True
    assert [objects[0][key] for key in ("task_id", "kind", "period", "onset")] == ["1", "newline", 1, 0]
    assert objects[1]["degenerate"] is False
    assert objects[2]["degenerate"]["estimate"] == 0.5
    golden_text(lines_with("are degenerate", run("analyse", "mine/texts.jsonl").stdout))


def test_analyse_of_several_files_tells_of_the_good_ones_and_ends_with_2_for_a_bad_one(
    run: Run, model_folder: Path, golden_text
) -> None:
    (model_folder / "good.jsonl").write_text('{"text": "    return a + b\\n"}\n')
    (model_folder / "generations_own.json").write_text(json.dumps([["def f():\n" + "x = 1\n" * 99]]))
    (model_folder / "bad.jsonl").write_text('{"text": "x"}\n{"text": "to')
    names = ("mine/good.jsonl", "mine/bad.jsonl", "mine/generations_own.json")
    done = run("analyse", *names, "--json")
    assert done.returncode == 2
    golden_text(only_line(done))
    *rows, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["file"], row["degenerate"]) for row in rows] == [(names[0], False), (names[2], True)]
    assert (summary["completions"], len(summary["faults"])) == (2, 1)
    assert "analysing: 3" in done.stderr


def test_analyse_leaves_out_completions_that_were_never_begun(run: Run, model_folder: Path, golden_text) -> None:
    rows = [
        {"task_id": "a", "completion": "", "stop_reason": "prompt_too_long"},
        {"task_id": "b", "completion": "    return a + b\n", "stop_reason": "end_token"},
    ]
    (model_folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    golden_text(lines_with("are degenerate", run("analyse", "mine/texts.jsonl").stdout))


def test_doctor_judges_all_solutions_and_empty_bodies_of_humaneval(run: Run, golden_text) -> None:
    done = run("doctor", "mine/model.pt", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    golden_text(found["sandbox"]["self-test"], {r"\d+\.\d+ s": "<duration>"})
    assert found["checkpoint"]["kind"] == "torch module"
    assert found["data"]["humaneval"].startswith("164 problems")


def test_doctor_shows_all_problem_sets_and_exits_with_3_if_one_cant_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evalharness.toml").write_text(
        '[problems.mine]\npath = "mine.txt"\n[problems.absent]\npath = "no.txt"\n'
    )
    row = {"task_id": "a", "prompt": "p", "entry_point": None, "canonical_solution": "", "test": "assert True"}
    (tmp_path / "mine.txt").write_text(json.dumps(row))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalharness.commands.doctor._sandbox", lambda: ({"isolation": "not tested here"}, True))
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    data = json.loads(done.stdout)["data"]
    assert done.exit_code == 3
    assert data["mine"].startswith("1 problems")
    assert "no.txt" in data["absent"]
    assert data["warmup"].startswith("60 problems")
