"""Programs, completions and steps on a Ray cluster: a real one, with actors that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from forked_command import run_forked, start_forked
from small_folder import QUICK, ROOT, make_model_folder

from evalharness.errors import EvaluationError
from evalharness.pipeline.judging import Judged, judge
from evalharness.pipeline.spreading.ray_cluster import Versions, check_versions, cluster, versions
from evalharness.problems import load_problems
from evalharness.progress import Silent
from evalharness.records import Verdict
from evalharness.runs import scorecard_json
from evalharness.sandbox import Job

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore::ResourceWarning")]
ANSWER = "    return None\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of one node with two cores, which this process has joined."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patched.setattr("evalharness.pipeline.spreading.ray_cluster.usable_cores", lambda: 2)
        with cluster("local"):
            yield ray.get_runtime_context().gcs_address


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """Two dozen programs: right and wrong ones, and the first of them twice."""
    problems = load_problems("warmup", limit=24, paths={}, environment={}).problems
    texts = [(p, p.canonical_solution if i % 3 else ANSWER) for i, p in enumerate(problems)]
    return [Job(p.task_id, i, p, text) for i, (p, text) in enumerate([*texts, texts[0], texts[1]])]


def judged(jobs: list[Job], ray: str, watcher=None) -> Judged:
    return judge(jobs, watcher or Silent(), workers=None, sandbox="auto", packages=(), ray=ray)


def verdicts(result: Judged) -> list[tuple[str, int, Verdict, str]]:
    return [(e.task_id, e.completion_id, e.verdict, e.detail) for e in result.executions]


def actors() -> list[psutil.Process]:
    """The processes of actors of this test's own cluster: Ray writes their class over their command line."""
    return [p for p in psutil.Process().children(recursive=True) if _command_line(p).startswith("ray::Actor")]


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class KillsOne(Silent):
    """Kills an actor when the first program has been judged."""

    killed: psutil.Process | None = None

    def stage(self, name: str, total: int) -> None:
        self.is_running = name == "running"

    def advance(self) -> None:
        if self.is_running and self.killed is None:
            self.killed = actors()[0]
            self.killed.send_signal(signal.SIGKILL)


def test_two_actors_one_of_them_killed_give_the_verdicts_of_the_local_pool(address, jobs) -> None:
    watching = KillsOne()
    spread = judged(jobs, address, watching)
    assert watching.killed is not None
    assert not watching.killed.is_running()
    here = judged(jobs, "off")
    assert verdicts(spread) == verdicts(here)
    assert {e.verdict for e in spread.executions} >= {Verdict.PASSED, Verdict.FAILED}
    assert spread.isolation.level == here.isolation.level
    assert spread.programs.distinct == here.programs.distinct == 24


class KillsAll(Silent):
    """Kills every actor as soon as it works."""

    def stage(self, name: str, total: int) -> None:
        if name == "running":
            code = (
                "import psutil, sys, time\n"
                "while True:\n"
                "    for p in psutil.Process(int(sys.argv[1])).children(recursive=True):\n"
                "        try: line = p.cmdline()\n"
                "        except psutil.Error: continue\n"
                "        if line[:1] == ['ray::Actor.more']: p.kill()\n"
                "    time.sleep(0.01)\n"
            )
            self.killer = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])


def test_a_program_whose_actors_are_lost_twice_is_not_judged(address, jobs) -> None:
    problem = jobs[0].problem
    waits = Job(problem.task_id, 0, problem, "    while True: pass\n")
    watching = KillsAll()
    try:
        result = judged([waits], address, watching)
    finally:
        watching.killer.kill()
        watching.killer.wait()
    assert [e.verdict for e in result.executions] == [Verdict.NOT_JUDGED]
    assert [lack.stage for lack in result.incomplete] == ["execution"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The small model, alone and as a series of one step, and a file of completions."""
    made = make_model_folder(tmp_path_factory.mktemp("on_ray"))
    series = made / "series"
    series.mkdir()
    (series / "step_2.pt").write_bytes((made / "model.pt").read_bytes())
    rows = [json.loads(line) for line in (made / "own.jsonl").read_text().splitlines()]
    samples = [{"task_id": row["task_id"], "completion": row["canonical_solution"]} for row in rows]
    (made / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*samples, *samples]))
    return made


WITHOUT_TORCH = """
import sys
from pathlib import Path
from evalharness.pipeline import Choice, run_series
from evalharness.pipeline.judging_files import judge_file

address, out = sys.argv[1:]
found = judge_file(Path("mine/samples.jsonl"), "mine/own.jsonl", (1,), ray=address)
assert found.outcomes == {"passed": 6}, found.outcomes
asked = {"problems": ("mine/own.jsonl",), "samples": 0, "max_new_tokens": 8, "out": Path(out), "trust": True}
run = run_series(Path("mine/series"), {**asked, "ray": address}, Choice())
assert not run.failures, run.failures
assert sorted(run.scorecards) == [2]
assert run.report is not None
print("torch" in sys.modules)
"""


def test_execute_and_run_need_no_torch_where_the_command_runs(address, folder, tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, address, str(tmp_path)],
        cwd=folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"
    assert len(list(tmp_path.rglob("scorecard.json"))) == 1


def completions_in(out: Path) -> dict[str, list[str]]:
    return {path.name: sorted(path.read_text().splitlines()) for path in out.rglob("completions/*.jsonl")}


def test_a_score_on_the_cluster_goes_on_after_a_kill_and_equals_that_of_one_process(address, folder, tmp_path) -> None:
    asked = ["score", "mine/model.pt", *QUICK]
    plain, spread = tmp_path / "plain", tmp_path / "spread"
    assert run_forked([*asked, "--out", str(plain)], cwd=folder.parent).returncode == 0
    on_ray = [*asked, "--ray", address, "--replicas", "2", "--out", str(spread)]
    process = start_forked(on_ray, cwd=folder.parent)
    deadline = time.monotonic() + 120
    while process.exitcode is None and time.monotonic() < deadline:
        if any(path.read_bytes().count(b"\n") >= 1 for path in spread.rglob("completions.jsonl")):
            break
        time.sleep(0.005)
    process.kill()
    process.join()
    done = run_forked(on_ray, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert " kept from the earlier run" in done.stderr
    assert completions_in(spread) == completions_in(plain)
    cards = [
        scorecard_json.from_json(path.read_text()) for out in (plain, spread) for path in out.rglob("scorecard.json")
    ]
    assert cards[0].outcomes == cards[1].outcomes
    assert not cards[1].incomplete


@pytest.mark.parametrize(
    ("given", "code"),
    [(["--ray=127.0.0.1:1"], 3), (["--ray=nowhere"], 2), (["--ray", "samples.jsonl"], 2)],
    ids=["nobody answers", "no address", "takes the file"],
)
def test_an_address_of_no_cluster_is_one_line(folder, given, code) -> None:
    done = run_forked(["execute", *given, "samples.jsonl", "--problems", "own.jsonl"], cwd=folder)
    assert done.returncode == code
    assert "--ray" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_ray_the_way_to_install_it_is_said(folder, tmp_path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('no ray')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "evalharness", "execute", "samples.jsonl", "--problems", "own.jsonl", "--ray"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "evalharness[ray]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_nodes_with_other_versions_are_named() -> None:
    here = versions()
    check_versions("head:6379", here, [("a", here)])
    other = Versions(here.python, "0.0.1", here.ray)
    with pytest.raises(EvaluationError) as caught:
        check_versions("head:6379", here, [("a", here), ("b", other)])
    assert "node b" in str(caught.value)
    assert "evalharness 0.0.1" in str(caught.value)
