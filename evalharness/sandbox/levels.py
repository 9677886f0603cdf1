"""The levels of isolation, and which of them this machine gives: the first under which a hostile probe gets nowhere."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalharness.errors import EvalHarnessError, SandboxError
from evalharness.records import IsolationInfo, IsolationLevel
from evalharness.sandbox.copied_root import COPY, copied_root, reading_shows
from evalharness.sandbox.hostile_program import ATTEMPTS, PROBE
from evalharness.sandbox.inside.settings import OPEN_FILES, Settings
from evalharness.sandbox.references import References
from evalharness.sandbox.users import OF_WHO_RUNS_THE_HARNESS, is_root, user_of_programs
from evalharness.sandbox.worker import OfJudge, Worker, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.sandbox.inside.settings import View
    from evalharness.sandbox.javascript import Interpreter
    from evalharness.sandbox.limits import Limits

Level = IsolationLevel

DESCRIPTIONS: Mapping[Level, str] = {
    "A": "namespaces, a root of its own, Landlock, seccomp",
    "B": "a user and a root of its own, Landlock, seccomp",
    "C": "Landlock, seccomp",
    "D": "none",
}
"""What each level consists of."""

_EVERYWHERE = (
    "by timing, and by what the kernel caches and counts for all processes, programs can still notice each other",
)

_ON_DISK = (
    "what a program leaves on the disk is bounded only by looking at it fifty times a second",
    "what it removes while it is open is bounded by the number and the size of files",
    "if it changes modes or times of files, its own too, it is told that it did, and nothing changes",
)
_TIMES_TELL = "a program can tell by their times of reading which files of the library others have read"

LACKS: Mapping[Level, tuple[str, ...]] = {
    "A": _EVERYWHERE,
    "B": (
        *_EVERYWHERE,
        *_ON_DISK,
        "programs share the machine's network and process namespaces: only seccomp keeps them from both",
    ),
    "C": (
        *_EVERYWHERE,
        "a program runs as the user who runs the harness; if that is root, memory alone bounds its threads",
        "it can ask for names, sizes and times of this user's files, and not read them",
        _TIMES_TELL,
        "it can't write to /tmp, but to the folder that tempfile names",
        *_ON_DISK,
    ),
    "D": (
        "a program can read and write what this user can, reach the network and start processes",
        "it can look into the judge, and so forge its verdict",
    ),
}
"""What each level does not hold off, a sentence each."""

_TIMES_PROGRAM = 4
_REPORT_ROOM_BYTES = 32 << 20
_TASKS_UNKNOWN = 1 << 22  # the most that Linux has


@dataclass(frozen=True, slots=True)
class Isolation:
    """What holds programs here: the level, what the probe's attempts came to, and what the level lacks.

    ``memory_bound_bytes`` is what a program and the judge of its worker may have together. ``refused`` says of each
    better level why it is not this one.
    """

    level: Level
    held: Mapping[str, bool]
    lacks: tuple[str, ...]
    memory_bound_bytes: int
    refused: tuple[str, ...] = ()

    @property
    def info(self) -> IsolationInfo:
        """What a scorecard records of it."""
        return IsolationInfo(self.level, DESCRIPTIONS[self.level], self.lacks)

    def __str__(self) -> str:
        return str(self.info)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where workers are put up: the sandbox's own folder, who runs programs, what they see and may use.

    ``pinned`` workers each stay on a core; ``other`` runs programs of another language than Python.
    """

    folder: Path
    interpreter: str
    view: View
    limits: Limits
    packages: tuple[str, ...] = ()
    pinned: bool = False
    other: Interpreter | None = None
    references: References = field(default_factory=References)
    secret: bytes = field(default_factory=partial(secrets.token_bytes, 16))

    def start(self, level: Level, number: int) -> Worker:
        """A new worker of ``level``; ``number`` tells it from the others of this sandbox.

        Raises:
            SandboxError: the level is refused here.
        """
        try:
            settings, of_judge = self._settings(level, number), self._of_judge(number)
        except OSError as error:
            raise SandboxError(f"no folder for programs: {error}") from error
        worker = Worker(self.interpreter, settings, of_judge)
        try:
            worker.wait_until_ready()
        except BaseException:  # a signal, too, leaves no process
            worker.kill()
            raise
        return worker

    def _settings(self, level: Level, number: int) -> Settings:
        uid = user_of_programs(level, number, self.folder)
        root = self._root(level, number)
        return Settings(
            level=level,
            root=str(root),
            work=str(self._work(level, number, root, uid)),
            uid=uid,
            view=self.view,
            output_bytes=self.limits.output_bytes,
            disk_bytes=self.limits.disk_bytes,
            disk_files=self.limits.disk_files,
            kernel_limits=_kernel_limits(self.limits, reserves=self.other is not None),
            tasks=self.limits.threads + (_tasks_of_user() if uid == OF_WHO_RUNS_THE_HARNESS else 0),
            core=_core(number) if self.pinned else -1,
            command=() if self.other is None else self.other.command(self.limits.memory_bytes),
            executable=() if self.other is None else self.other.executable,
        )

    def _of_judge(self, number: int) -> OfJudge:
        folder = self.folder / f"tests-{self._unguessable(number)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return OfJudge(judge_memory_bytes(self.limits), folder, self.references.kept, self.packages)

    def _root(self, level: Level, number: int) -> Path:
        root = self.folder / f"root-{number}"
        if level == "B":
            return copied_root(self.folder / COPY, root, self.view)
        root.mkdir(exist_ok=True)
        return root

    def _work(self, level: Level, number: int, root: Path, uid: int) -> Path:
        """The folder that a program may write, as it is called inside."""
        if level in "AB":
            # In a root of its own; a folder mounted on /tmp would cover an interpreter or a package that lies there.
            below_tmp = any(path.startswith("/tmp/") for path in (*self.view.folders, *self.view.files))  # noqa: S108
            work = Path("/program" if below_tmp else "/tmp")  # noqa: S108
            if level == "B":
                inside = root / work.relative_to("/")
                inside.mkdir(exist_ok=True)
                os.chown(inside, uid, uid)
            return work
        work = self.folder / f"work-{self._unguessable(number)}"
        work.mkdir(mode=0o700, exist_ok=True)
        return work

    def _unguessable(self, number: int) -> str:
        """A name that stays the same, and that nobody can tell from another number's: its times would be a channel."""
        return blake2b(str(number).encode(), key=self.secret, digest_size=12).hexdigest()


def judge_memory_bytes(limits: Limits) -> int:
    """The address space of a worker's judge, which bounds what it reads of answers and what tests keep of them."""
    return _TIMES_PROGRAM * limits.memory_bytes


def choose(ground: Ground, wanted: Level | Literal["auto"]) -> tuple[Isolation, Worker]:
    """The level to use, and the first worker of it. ``wanted`` tries that one alone.

    Raises:
        SandboxError: no level holds here, with what each of them failed at.
    """
    refused = []
    if wanted == "B" and hasattr(os, "geteuid") and not is_root():
        raise SandboxError("level B needs root. Leave --sandbox out to use the best level that works here")
    if not hasattr(os, "fork"):
        raise SandboxError(f"programs can't be run on {sys.platform}: use Linux, or WSL")
    for level in _candidates() if wanted == "auto" else (wanted,):
        try:
            worker = ground.start(level, 0)
            blocked = _probed(worker, ground.folder, level)
        except SandboxError as error:
            refused.append(f"level {level}: {error}")
            continue
        if level == "D" or all(blocked.values()):
            bound = ground.limits.memory_bytes + judge_memory_bytes(ground.limits)
            bound += ground.limits.disk_bytes if level == "A" else 0
            _check_packages(worker, ground.packages)
            return Isolation(level, blocked, _lacks(level, ground.folder), bound, tuple(refused)), worker
        worker.kill()
        refused.append(
            f"level {level}: a probe could {', '.join(name for name, is_blocked in blocked.items() if not is_blocked)}"
        )
    if wanted != "auto":
        raise SandboxError(f"{'; '.join(refused)}. Leave --sandbox out to use the best level that works here")
    raise SandboxError(
        f"programs can't be isolated on this machine ({'; '.join(refused) or sys.platform}). "
        "Any of these gives a level: user namespaces, a kernel with Landlock (5.13 or newer), root with its "
        "capabilities. `--sandbox none` runs programs without isolation, with your rights: only for code that you trust"
    )


def _lacks(level: Level, folder: Path) -> tuple[str, ...]:
    """What the level lacks here: at level B it depends on how the file system is mounted."""
    tells = level == "B" and reading_shows(folder / COPY)
    return (*LACKS[level], _TIMES_TELL) if tells else LACKS[level]


def _check_packages(worker: Worker, packages: tuple[str, ...]) -> None:
    """See to it that programs can import what they were allowed: where not, every one of them would fail for it.

    Raises:
        EvalHarnessError: they can't, with the reason; the worker is ended.
    """
    for package in packages:
        try:
            worker.send({"ask": "attempt", "arguments": [package], "program": _IMPORT, **_NO_PROBLEM})
            answer = worker.wait_for_reply(60.0).get("answer", "the program ended")
        except WorkerDied as error:
            answer = str(error)
        if answer:
            worker.kill()
            raise EvalHarnessError(
                f"package {package!r} can't be imported by programs: {answer}. What it depends on must be named, too"
            )


def _probed(worker: Worker, folder: Path, level: Level) -> dict[str, bool]:
    """What the probe comes to; at level D nothing is asked, because it would all succeed. A failure ends the worker."""
    if level == "D":
        return dict.fromkeys(ATTEMPTS, False)
    try:
        return probe(worker, folder)
    except BaseException as error:
        worker.kill()
        if isinstance(error, (SandboxError, OSError)):
            raise SandboxError(f"the probe could not be run: {error}") from error
        raise


def probe(worker: Worker, folder: Path) -> dict[str, bool]:
    """Whether the isolation blocks each attempt of a hostile program, by the attempt's name.

    Raises:
        SandboxError: the probe itself could not be run, so nothing is known.
    """
    bait = folder / "bait"
    bait.write_text("untouched")
    bait.chmod(0o666)
    before = bait.stat()
    try:
        worker.send({"ask": "attempts", "arguments": [str(bait)], "program": PROBE, **_NO_PROBLEM})
        reply = worker.wait_for_reply(60.0)
    except WorkerDied as error:
        raise SandboxError(str(error)) from error
    if "answer" not in reply:
        raise SandboxError(str(reply.get("lost", reply)))
    blocked = {name: reply["answer"].get(name) == "held" for name in ATTEMPTS}
    # What can be seen from here is not left to what the probe says.
    after = bait.stat()
    blocked["change a file outside"] &= bait.read_text() == "untouched" and after.st_mode == before.st_mode
    return blocked


_IMPORT = """
def attempt(package):
    try:
        __import__(package)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""
"""
_NO_PROBLEM = {"prompt": "", "test": "pass", "entry_point": "", "solution": "", "cpu_s": 5.0}


def _candidates() -> tuple[Level, ...]:
    if not sys.platform.startswith("linux"):
        return ()
    return ("A", "B", "C") if is_root() else ("A", "C")


def _tasks_of_user() -> int:
    """How many processes and threads this user has now, which the limit of a program's threads is counted on top of.

    Without /proc nobody can tell: then it is as many as a user may have, and memory alone bounds a program's threads.
    """
    tasks = 0
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and entry.stat().st_uid == os.getuid():
                    tasks += sum(1 for _ in (entry / "task").iterdir())
    return tasks or _TASKS_UNKNOWN


def _core(number: int) -> int:
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    return cores[number % len(cores)] if cores else -1


def _kernel_limits(limits: Limits, *, reserves: bool) -> tuple[tuple[int, int, int], ...]:
    """The limits that the kernel keeps, as (RLIMIT number, soft, hard).

    An interpreter that ``reserves`` far more addresses than it uses is bounded by the memory that it can write.
    """
    import resource  # noqa: PLC0415 - Windows has none, and is to be told so in a sentence

    return (
        (
            resource.RLIMIT_DATA if reserves else resource.RLIMIT_AS,
            limits.memory_bytes,
            limits.memory_bytes + _REPORT_ROOM_BYTES,
        ),
        (resource.RLIMIT_FSIZE, limits.disk_bytes, limits.disk_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
    )
