from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from evalharness.errors import SandboxError
from evalharness.records import Verdict
from evalharness.sandbox import DESCRIPTIONS, Isolation, Job, Limits, Sandbox, levels
from evalharness.sandbox.copied_root import reading_shows
from evalharness.sandbox.hostile_program import ATTEMPTS
from evalharness.sandbox.inside.isolation import Place
from evalharness.sandbox.inside.settings import Settings, View
from evalharness.sandbox.levels import LACKS
from evalharness.sandbox.worker import WorkerDied

HELD = dict.fromkeys(ATTEMPTS, "held")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")


class FakeWorker:
    """Answers a probe; ``during`` is what the probe really did to the bait."""

    def __init__(self, reply, during=lambda bait: None):
        self._reply, self._during = reply, during
        self.killed = False

    def send(self, job):
        assert job["ask"] == "attempts"
        self._during(Path(job["arguments"][0]))

    def wait_for_reply(self, limit_s):
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply

    def kill(self):
        self.killed = True


class FakeGround:
    """A machine where each level is refused (a text) or gives a worker."""

    def __init__(self, folder, **given):
        self.folder, self.given, self.limits, self.tried = folder, given, Limits(), []
        self.packages = ()

    def start(self, level, number):
        assert number == 0
        self.tried.append(level)
        given = self.given[level]
        if isinstance(given, str):
            raise SandboxError(given)
        return given


@pytest.fixture
def as_user(monkeypatch):
    """Have the choice be that of a user of this id on Linux."""

    def be(uid):
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.setattr("os.geteuid", lambda: uid)

    return be


def test_the_first_level_that_holds_is_used(tmp_path, as_user):
    as_user(0)
    worker = FakeWorker({"answer": HELD})
    ground = FakeGround(tmp_path, A=worker)
    isolation, chosen = levels.choose(ground, "auto")
    assert (isolation.level, isolation.held, chosen, worker.killed) == (
        "A",
        dict.fromkeys(ATTEMPTS, True),
        worker,
        False,
    )


@pytest.mark.parametrize(("uid", "second"), [(0, "B"), (1000, "C")])
def test_where_namespaces_are_refused_it_is_the_next_for_this_user(tmp_path, as_user, uid, second):
    as_user(uid)
    ground = FakeGround(tmp_path, A="unshare: Operation not permitted", **{second: FakeWorker({"answer": HELD})})
    isolation, _ = levels.choose(ground, "auto")
    assert (isolation.level, ground.tried) == (second, ["A", second])


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("answer", ["broke", None])
def test_a_level_that_a_probe_breaks_is_not_used(tmp_path, as_user, attempt, answer):
    as_user(0)
    broken = FakeWorker({"answer": {**HELD, attempt: answer}})
    isolation, _ = levels.choose(FakeGround(tmp_path, A=broken, B=FakeWorker({"answer": HELD})), "auto")
    assert (isolation.level, broken.killed) == ("B", True)


@pytest.mark.parametrize("change", [lambda bait: bait.write_text("mine"), lambda bait: bait.chmod(0o600)])
def test_a_change_outside_is_seen_though_the_probe_says_that_it_was_held(tmp_path, as_user, change, golden_text):
    as_user(0)
    broken = FakeWorker({"answer": HELD}, change)
    with pytest.raises(SandboxError) as error:
        levels.choose(FakeGround(tmp_path, A=broken), "A")
    golden_text(error)


@pytest.mark.parametrize(
    "reply", [WorkerDied("no answer for 60 s"), {"verdict": "failed"}, {"lost": "the zygote is gone"}]
)
def test_a_level_whose_probe_can_not_be_run_is_left_and_its_worker_ended(tmp_path, as_user, reply):
    as_user(0)
    silent = FakeWorker(reply)
    isolation, _ = levels.choose(FakeGround(tmp_path, A=silent, B=FakeWorker({"answer": HELD})), "auto")
    assert (isolation.level, silent.killed) == ("B", True)


def test_where_nothing_holds_the_message_says_what_each_failed_at_and_the_way_out(tmp_path, as_user, golden_text):
    as_user(1000)
    ground = FakeGround(tmp_path, A="unshare: no", C=FakeWorker({"answer": {**HELD, "open a socket": "broke"}}))
    with pytest.raises(SandboxError) as caught:
        levels.choose(ground, "auto")
    golden_text(caught.value)


def test_a_system_without_levels_says_so(tmp_path, monkeypatch, golden_text):
    monkeypatch.setattr("sys.platform", "darwin")
    ground = FakeGround(tmp_path)
    with pytest.raises(SandboxError) as error:
        levels.choose(ground, "auto")
    golden_text(error)
    assert ground.tried == []


@pytest.mark.parametrize("wanted", ["auto", "D"])
def test_a_system_that_can_not_fork_runs_nothing(tmp_path, monkeypatch, wanted, golden_text):
    monkeypatch.delattr("os.fork")
    with pytest.raises(SandboxError) as error:
        levels.choose(FakeGround(tmp_path), wanted)
    golden_text(error)


def test_a_level_that_was_asked_for_is_tried_alone(tmp_path, as_user, golden_text):
    as_user(0)
    ground = FakeGround(tmp_path, A=FakeWorker({"answer": HELD}), B="no chroot")
    with pytest.raises(SandboxError) as error:
        levels.choose(ground, "B")
    golden_text(error)
    assert ground.tried == ["B"]


def test_without_isolation_nothing_is_held(tmp_path):
    isolation, _ = levels.choose(FakeGround(tmp_path, D=FakeWorker(None)), "D")
    assert (isolation.level, isolation.held) == ("D", dict.fromkeys(ATTEMPTS, False))
    assert isolation.lacks == LACKS["D"]


def test_memory_is_bounded_with_the_folder_where_that_is_in_memory(tmp_path, as_user):
    as_user(0)
    limits = Limits()
    bounds = [
        levels.choose(FakeGround(tmp_path, **{level: FakeWorker({"answer": HELD})}), level)[0].memory_bound_bytes
        for level in "AC"
    ]
    with_judge = limits.memory_bytes + levels.judge_memory_bytes(limits)
    assert bounds == [with_judge + limits.disk_bytes, with_judge]


@pytest.mark.parametrize("level", DESCRIPTIONS)
def test_an_isolation_reads_as_its_level_and_what_it_consists_of(level, golden_text):
    golden_text(str(Isolation(level, {}, LACKS[level], 0)))


def test_only_the_best_level_lacks_a_single_thing():
    assert [level for level, lacks in LACKS.items() if len(lacks) == 1] == ["A"]
    assert LACKS.keys() == DESCRIPTIONS.keys()


@linux_only
@pytest.mark.parametrize("level", ["auto", "A", "B", "C"])
def test_a_level_of_this_machine_holds_every_attempt_and_runs_programs(add, level, nothing_left):
    try:
        sandbox = Sandbox(level=level, workers=2).__enter__()
    except SandboxError as error:
        pytest.skip(f"not to be had here: {error}")
    try:
        assert level in ("auto", sandbox.isolation.level)
        assert sandbox.isolation.held == dict.fromkeys(ATTEMPTS, True)
        body = "    open('mine', 'w').write('x')\n    return a {} b\n"
        done = sandbox.run(Job("add", n, add, body.format("+-"[n % 2]) + f"# {n}\n") for n in range(6))
        assert {e.completion_id: e.verdict for e in done} == dict.fromkeys((0, 2, 4), "passed") | dict.fromkeys(
            (1, 3, 5), "failed"
        )
    finally:
        sandbox.__exit__()


READ = """
    import os
    folder = os.path.dirname(os.__file__)
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".py"))[60:100]
    for file in files[::3]:
        open(file).read()
    os.listdir(folder + "/json")
    raise ValueError(hash(tuple(os.stat(path).st_atime_ns for path in (*files, folder + "/json"))))
"""


@linux_only
@pytest.mark.parametrize("level", ["A", "B"])
def test_what_a_program_reads_of_the_library_shows_in_no_time(add, level):
    unread = READ.replace("open(file).read()", "pass").replace('os.listdir(folder + "/json")', "pass")
    try:
        sandbox = Sandbox(level=level, workers=1).__enter__()
    except SandboxError as error:
        pytest.skip(f"not to be had here: {error}")
    try:
        texts = [unread, READ, unread + "    # again"]
        seen = [next(sandbox.run([Job("add", n, add, text)])).detail for n, text in enumerate(texts)]
    finally:
        sandbox.__exit__()
    assert seen[0].startswith("ValueError")
    assert len({detail.partition(" (line")[0] for detail in seen}) == 1


@linux_only
def test_a_time_of_reading_that_lies_ahead_is_moved_by_no_reading(tmp_path):
    (tmp_path / "os.py").write_text("text")
    os.utime(tmp_path / "os.py", (1, 1))
    moves = reading_shows(tmp_path)
    os.utime(tmp_path / "os.py", (2_145_916_800, 1))
    assert not (reading_shows(tmp_path) and moves), "strictatime"


@linux_only
def test_none_runs_programs_with_this_users_rights(add, golden_text):
    with Sandbox(level="none", workers=1) as sandbox:
        golden_text(str(sandbox.isolation))
        body = "    assert open('/etc/passwd').read()\n    return a + b\n"
        (execution,) = sandbox.run([Job("add", 0, add, body)])
    assert (execution.verdict, execution.judged) == (Verdict.PASSED, "apart")


def test_better_levels_that_were_refused_are_told(tmp_path, as_user):
    as_user(1000)
    isolation, _ = levels.choose(FakeGround(tmp_path, A="unshare: no", C=FakeWorker({"answer": HELD})), "auto")
    assert (isolation.level, isolation.refused) == ("C", ("level A: unshare: no",))


def test_level_b_says_that_it_needs_root(tmp_path, as_user, golden_text):
    as_user(1000)
    with pytest.raises(SandboxError) as error:
        levels.choose(FakeGround(tmp_path), "B")
    golden_text(error)


@pytest.mark.parametrize(
    ("shown", "work"), [("/usr/lib/python3", "/tmp"), ("/tmp/venv/lib/python3", "/program"), ("/tmpfs/lib", "/tmp")]
)
def test_a_programs_folder_covers_nothing_that_it_needs(tmp_path, shown, work):
    view = View(folders=(shown,), files=(), hidden=(), search_path=(shown,))
    settings = levels.Ground(tmp_path, "python3", view, Limits())._settings("A", 0)
    assert settings.work == work


NOTHING_SEEN = View((), (), (), ())


def place(work, *, disk_bytes=1 << 30, disk_files=10_000):
    limits = {"output_bytes": 1, "disk_bytes": disk_bytes, "disk_files": disk_files, "kernel_limits": ()}
    return Place(Settings("D", "", str(work), -1, NOTHING_SEEN, **limits, tasks=1, core=-1))


def test_the_look_at_the_disk_follows_folders_deeper_than_calls_may_nest(tmp_path, monkeypatch):
    few, many = place(tmp_path), place(tmp_path, disk_files=1499)
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        Path("a").mkdir()
        os.chdir("a")
    try:
        assert (few.over_limit(), many.over_limit()) == (False, True)
    finally:
        few.renew()  # pytest's own clean-up nests calls
    assert list(tmp_path.iterdir()) == []


def test_the_look_at_the_disk_counts_what_files_take_and_follows_no_link(tmp_path):
    small, large = place(tmp_path, disk_bytes=20_000), place(tmp_path, disk_bytes=200_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(bytes(100_000))
    (tmp_path / "to usr").symlink_to("/usr")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert (small.over_limit(), large.over_limit()) == (True, False)
