"""Problems whose tests share objects with the program: what plain values can't say is judged apart all the same."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace

import pytest

from evalharness.records import Problem, Verdict
from evalharness.sandbox import Job
from evalharness.sandbox.inside.judge import CHANGED_ARGUMENTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")

STACK = """class Stack:
    def __init__(self):
        self.items = []
    def push(self, x):
        self.items.append(x)
"""
ERROR = "class Refused(ValueError):\n    pass\n"
LRU = """from collections import OrderedDict
class Recent(OrderedDict):
    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)
"""
BAG = "class Bag(list):\n    def __init__(self):\n        self.count = 0\n"
LAZY = """import functools
class Lazy:
    def __init__(self, a, b):
        self.a, self.b = a, b
    def __add__(self, other):
        return Lazy(self.total, other.total)
    @functools.cached_property
    def total(self):
        return self.a + self.b
    @functools.lru_cache
    def doubled(self):
        return self.b + 10
"""
CATCHES = """import io, contextlib
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        f(1, 2)
    assert out.getvalue() == "1 2\\n"
"""
PASSING = {
    "a callback": ("", "    return [a(x) for x in b]\n", "assert f(lambda x: x + 1, [1, 2]) == [2, 3]"),
    "a callback that keeps": (
        "",
        "    for x in b:\n        a(x)\n",
        "seen = []\n    f(seen.append, [1, 2])\n    assert seen == [1, 2]",
    ),
    "a builtin as a callback": ("", "    return list(map(a, b))\n", "assert f(len, ['a', 'bc']) == [1, 2]"),
    "an exception of a callback": (
        "",
        "    try:\n        return a(b)\n    except ZeroDivisionError:\n        return None\n",
        "assert f(lambda x: 1 / x, 0) is None and f(lambda x: 1 / x, 1) == 1",
    ),
    "a function that calls back": (
        "",
        "    return lambda x: a(x) + b\n",
        "assert f(lambda x: 2 * x, 1)(3) == 7",
    ),
    "two generators at once": (
        "",
        "    while True:\n        yield a\n        a += b\n",
        "one, two = f(0, 1), f(0, 2)\n    assert [next(one), next(two), next(one), next(two)] == [0, 0, 1, 2]",
    ),
    "an iterator of the tests": (
        "",
        "    return [next(a), next(a)]\n",
        "g = iter([1, 2, 3])\n    f(g, 0)\n    assert next(g) == 3",
    ),
    "one object at two places": ("", "    a.append(b)\n    return a\n", "x = []\n    assert f(x, 1) is x and x == [1]"),
    "an object that holds itself": ("", "    a.append(a)\n    return a\n", "x = f([], 0)\n    assert x[0] is x"),
    "an instance that is changed": (STACK, "    a.push(b)\n", "s = Stack()\n    f(s, 4)\n    assert s.items == [4]"),
    "an instance that is made": (
        STACK,
        "    s = Stack()\n    s.push(a)\n    return s\n",
        "assert f(4, 0).items == [4]",
    ),
    "an exception of the prompt": (
        ERROR,
        "    raise Refused(a)\n",
        "e = None\n    try:\n        f(1, 2)\n    except Refused as x:\n        e = x\n    assert e.args == (1,)",
    ),
    "a coroutine": (
        "",
        "    async def g():\n        return a + b\n    return g()\n",
        "import asyncio\n    assert asyncio.run(f(1, 2)) == 3",
    ),
    "what is printed": (
        "",
        "    print(a, b)\n",
        CATCHES,
    ),
    "an object of the prompt": ("SEEN = {}\n", "    SEEN[a] = b\n", "f(1, 2)\n    assert SEEN == {1: 2}"),
    "an object of the program's own class": (
        "",
        (
            "    return Pair(a, b)\nclass Pair:\n    def __init__(self, a, b):\n        self.a, self.number = a, b\n"
            "    def sum(self):\n        return self.a + self.number\n"
        ),
        "p = f(1, 2)\n    p.a += 4\n    assert (p.a, p.number, p.sum()) == (5, 2, 7) and p and p == p and p != f(5, 2)",
    ),
    "objects of a class that the tests make": (
        "",
        (
            "    return b if a is None else f(a.next, b + a.data)\nclass Node:\n    def __init__(self, data):\n"
            "        self.data, self.next = data, None\n"
        ),
        "n = Node(1)\n    n.next = Node(2)\n    n.next.next = Node(3)\n    assert f(n, 4) == 10",
    ),
    "a named tuple that comes back": (
        "",
        "    return a.x + b.y\nfrom collections import namedtuple\nPair = namedtuple('Pair', 'x y')\n",
        "p = Pair(1, 2)\n    assert p == (1, 2) and f(p, p) == 3 and f(p, Pair(5, 6)) == 7",
    ),
    "what Python asks of an object": (
        "",
        (
            "    return S()\nclass S:\n    def __call__(self, x): return x + 1\n    def __str__(self): return 'S'\n"
            "    def __repr__(self): return 'S()'\n"
        ),
        "s = f(1, 2)\n    assert s(5) == 6 and str(s) == 'S' and repr(s) == 'S()'",
    ),
    "a context": (
        "",
        "    return g(a)\nimport contextlib\n@contextlib.contextmanager\ndef g(a):\n    yield a\n",
        "with f(1, 2) as x:\n        assert x == 1",
    ),
    "what is sent to a generator": (
        "",
        "    while True:\n        a += yield a\n",
        "g = f(1, 2)\n    assert next(g) == 1 and g.send(5) == 6\n    g.close()\n    assert list(g) == []",
    ),
    "an assertion of the tests that a solution catches": (
        "",
        "    try:\n        a(b)\n    except AssertionError:\n        return 'failed'\n",
        "def must_be_3(x):\n        assert x == 3\n    assert f(must_be_3, 4) == 'failed'",
    ),
    "an ordered dictionary that is changed": (
        "",
        "    a[b] = a.pop('x')\n",
        (
            "from collections import OrderedDict\n    d = OrderedDict(x=1, y=2)\n    f(d, 'z')\n"
            "    assert list(d.items()) == [('y', 2), ('z', 1)] and d == OrderedDict(y=2, z=1)"
        ),
    ),
    "an instance of an ordered dictionary's subclass": (
        LRU,
        "    a['c'] = b\n    a.popitem(last=False)\n",
        "d = Recent(a=1, b=2)\n    assert d['a'] == 1\n    f(d, 3)\n    assert list(d) == ['a', 'c']",
    ),
    "an attribute with the name of a builtin method": (
        BAG,
        "    a.append(b)\n    a.count += 1\n",
        "x = Bag()\n    f(x, 7)\n    assert x == [7] and x.count == 1",
    ),
    "what an instance computes once": (
        LAZY,
        "    return Lazy(a + b, a.total)\n",
        "x = f(Lazy(1, 2), Lazy(3, 4))\n    assert (x.a.total, x.b, x.doubled()) == (10, 3, 13)",
    ),
    "callbacks from several threads": (
        "",
        (
            "    from concurrent.futures import ThreadPoolExecutor\n"
            "    with ThreadPoolExecutor(4) as pool:\n        return list(pool.map(a, range(b)))\n"
        ),
        "assert f(lambda x: x + 1, 100) == list(range(1, 101))",
    ),
    "a set that is changed": ("", "    a.add(b)\n", "s = {1}\n    t = [s]\n    f(s, 2)\n    assert t[0] == {1, 2}"),
}
WIRE = """
import gc, sys, marshal
codec, protocol = sys.modules["inside.codec"], sys.modules["inside.protocol"]
channel = sys.modules["inside.channel"]
line = [each for each in gc.get_objects() if type(each) is channel.Receiver][-1]
def say(*message):
    channel.send(3, protocol.SHARED + codec.encode(message), line.token)
"""
HOSTILE = {
    "an attribute in the place of a method": (
        STACK,
        "    s = Stack()\n    s.push = lambda x: None\n    return s\n",
        "s = f(1, 2)\n    s.push(1)\n    assert s",
    ),
    "an attribute in the place of a builtin method": (
        BAG.replace("count", "size"),
        "    a.count = lambda x: 2\n",
        "x = Bag()\n    f(x, 1)\n    assert x.count(1) == 2",
    ),
    "an object of the judge that it never gave": ("", WIRE, 'say("value", ("h", 40), [], ("", ""))'),
    "a number that the judge would give": (
        "",
        WIRE,
        'say("value", ("r", 40), [(40, codec.encode(("list", [])))], ("", ""))',
    ),
    "a function of the judge's interpreter": ("", WIRE, 'say("value", ("b", "builtins", "len"), [], ("", ""))'),
    "another content for a list of the tests": (
        "",
        WIRE,
        'say("value", 3, [(0, codec.encode(("set", [])))], ("", ""))',
    ),
    "a message without an end": ("", WIRE, 'say("value")'),
    "a message of no kind": ("", WIRE, 'say("done", 3, [], ("", ""))'),
    "an answer to nothing": ("", WIRE, 'say("stop", [], ("", ""))'),
    "printed what is no text": ("", WIRE, 'say("value", 3, [], (1, 2))'),
    "an exception that ends loops": ("", WIRE, "raise StopIteration"),
    "an exception that is none": ("", WIRE, 'say("raised", 5, None, [], ("", ""))'),
}


EQUAL = "def __eq__(self, other):\n        return self.items == other.items\n"
STACKS = "s = f(1, 2)\n    t = Stack()\n    t.push(1)\n    assert s == t and s.items == [1]"
# Of a class of the program's own: what the tests see of it may be false, and it equals nothing all the same.
PRETENDING = {
    "that it equals everything": "__eq__ = lambda *_: True\n    __ne__ = lambda *_: False",
    "that it is a list": "__class__ = list\n    __len__ = lambda _: 1\n    __iter__ = lambda _: iter([1])",
    "that it is a number": "__index__ = __int__ = __float__ = lambda _: 1\n    __sub__ = __rsub__ = lambda *_: 0",
    "that it has every attribute": "__getattr__ = lambda self, _: self",
}
LYING = {
    "a list that equals everything": "class L(list):\n        __eq__ = lambda *_: True\n    s.items = L([5])",
    "a method of another class": "s.__dict__['__eq__'] = lambda o: True",
    "another class": "s.__dict__['__class__'] = list",
    "a function in the place of a list": "s.items = lambda: [1]",
    "no attributes at all": "s = Stack.__new__(Stack)",
}


def problem_of(prompt, solution, test):
    return Problem(
        "p", f"{prompt}def f(a, b):\n", "f", solution, f"def check(candidate):\n    f = candidate\n    {test}\n"
    )


@pytest.fixture
def verdict(sandboxes, tight):
    """The execution of a program that shares objects with its tests."""

    def judge(problem, text):
        job = Job("p", 0, problem, text, shares=True)
        return next(sandboxes(tight).run([job]))

    return judge


@pytest.mark.parametrize("name", PASSING)
def test_a_solution_passes_and_a_wrong_one_does_not(verdict, name):
    problem = problem_of(*PASSING[name])
    execution = verdict(problem, problem.canonical_solution)
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")
    assert verdict(problem, "    return None\n").verdict is Verdict.FAILED


@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_that_breaks_the_rules_fails(verdict, name):
    prompt, code, last = HOSTILE[name]
    if code is not WIRE:
        execution = verdict(problem_of(prompt, code, last), code)
    else:
        test = "x = [1]\n    try:\n        assert f(x, 2) is x\n    except Exception:\n        assert f(x, 2) == [1, 2]"
        execution = verdict(problem_of(prompt, "", test), f"    {last}\n{code}")
    assert execution.verdict is Verdict.FAILED


@pytest.mark.parametrize("name", LYING)
def test_an_instance_that_lies_is_asked_nothing(verdict, name):
    problem = problem_of(f"{STACK}    {EQUAL}", "", STACKS)
    assert verdict(problem, "    s = Stack()\n    s.push(a)\n    return s\n").verdict is Verdict.PASSED
    assert verdict(problem, f"    s = Stack()\n    {LYING[name]}\n    return s\n").verdict is Verdict.FAILED


@pytest.mark.parametrize("entry_point", ["Stack", None])
def test_a_class_that_the_program_completes_is_its_own(verdict, entry_point):
    test = "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and s.items == [1]\n"
    check = f"def check(Stack):\n{textwrap.indent(test, '    ')}" if entry_point else test
    solution = "        self.items.append(x)\n    def pop(self):\n        return self.items.pop()\n"
    problem = Problem("p", STACK.removesuffix("        self.items.append(x)\n"), entry_point, solution, check)
    assert verdict(problem, solution).verdict is Verdict.PASSED
    assert verdict(problem, solution.replace("pop()", "pop(0)")).verdict is Verdict.FAILED


KEEPING = {
    "in a function of the tests": (
        "def must_be_3(x):\n        assert x == 3\n    assert f(must_be_3, 3) is None",
        "    a(b)\n",
        "    try: a(0)\n    except BaseException: pass\n",
    ),
    "under a context of the program": (
        "with f(1, 2) as x:\n        assert x == 1",
        (
            "    return C(a)\nclass C:\n    def __init__(self, a): self.a = a\n    def __enter__(self): return self.a\n"
            "    def __exit__(self, *_): return None\n"
        ),
        "    return C()\nclass C:\n    def __enter__(self): return 0\n    def __exit__(self, *_): return True\n",
    ),
}


@pytest.mark.parametrize("name", KEEPING)
def test_a_program_keeps_no_failure_of_the_tests_to_itself(verdict, name):
    test, solution, program = KEEPING[name]
    problem = problem_of("", solution, test)
    assert verdict(problem, solution).verdict is Verdict.PASSED
    assert verdict(problem, program).verdict is Verdict.FAILED


@pytest.mark.parametrize("name", PRETENDING)
def test_an_object_of_the_programs_own_equals_nothing_whatever_it_says(verdict, name):
    test = "x, wanted = f(1, 2), [3]\n    assert x == wanted or x.y == wanted or abs(x - 3) < 1 or list(x) == wanted"
    program = f"    return P()\nclass P:\n    {PRETENDING[name]}\n"
    assert verdict(problem_of("", "", test), program).verdict is Verdict.FAILED


def test_an_object_of_the_programs_own_has_no_length_that_could_change_between_two_looks(verdict):
    test = "x = f(1, 2)\n    assert len(x) == 1 and x.y == 1\n    for i in range(len(x)):\n        assert x[i] == 3"
    program = "    return P()\nclass P:\n    y, sizes = 1, [1, 0]\n    def __len__(self): return self.sizes.pop(0)\n"
    assert verdict(problem_of("", "", test), program).verdict is Verdict.FAILED


@pytest.mark.parametrize("operation", ["get", "set"])
def test_a_program_reads_and_sets_no_attributes_of_the_tests(verdict, operation):
    problem = problem_of("", "    return a(b)\n", "assert f(lambda x: x + 1, 1) == 2")
    program = (
        f"    say('ask', {operation!r}, 0, ('t', [('t', ['__globals__', 1]), ('t', [])]), [], ('', ''))\n"
        f"    import gc\n    kind, *_ = codec.decode(channel.Receiver(3, 1 << 20).receive(16)[1:])\n"
        f"    return 2 if kind == 'value' else 0\n{WIRE}"
    )
    assert verdict(problem, program).verdict is Verdict.FAILED


@pytest.mark.parametrize("target", ["'exec'", "0", "True", "10**30", "None"])
def test_a_program_can_ask_for_nothing_but_the_functions_that_it_was_given(verdict, target):
    problem = problem_of("", "    return a(b)\n", "assert f(lambda x: x + 1, 1) == 2")
    program = (
        f"    say('ask', 'call', {target}, ('t', [('t', ['1 + 1']), ('t', [])]), [], ('', ''))\n    return 0\n{WIRE}"
    )
    assert verdict(problem, program).verdict is Verdict.FAILED


def test_a_program_that_passes_only_by_emptying_what_the_tests_compare_with_fails(verdict):
    test = "x = [3, 1]\n    assert f(x, 0) == sorted(x)"
    problem = problem_of("", "    return sorted(a)\n", test)
    assert verdict(problem, "    a.clear()\n    return []\n").verdict is Verdict.FAILED
    assert verdict(problem, problem.canonical_solution).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "test",
    [
        "assert f(lambda x: eval(x), '1') == 1",
        "import os\n    assert f(lambda x: x, 1) == 1",
        "assert f(lambda x: os.fspath(x), '1') == '1'",
    ],
)
def test_tests_that_could_run_what_they_are_given_share_nothing(verdict, test):
    problem = problem_of("", "    return a(b)\n", test)
    assert verdict(problem, problem.canonical_solution).verdict is Verdict.NOT_JUDGED


def test_calibration_finds_out_which_problems_share(sandbox):
    plain = replace(problem_of("", "    return a + b\n", "assert f(1, 2) == 3"), task_id="plain")
    shares = replace(problem_of(*PASSING["one object at two places"]), task_id="shares")
    calibration = sandbox.calibrate([plain, shares], [])
    assert (calibration.sharing, calibration.faults) == ({"shares"}, ())
    jobs = [Job(p.task_id, 0, p, p.canonical_solution) for p in (plain, shares)]
    assert [e.verdict for e in sandbox.run(jobs)] == [Verdict.PASSED, Verdict.PASSED]


def test_only_objects_that_the_solution_changes_can_be_changed(verdict):
    prompt = "SEEN, TABLE = [], {1: 10}\n"
    problem = problem_of(
        prompt, "    SEEN.append(a)\n    return 10 * a\n", "assert f(1, 2) == TABLE[1] and SEEN == [1]"
    )
    assert verdict(problem, problem.canonical_solution).verdict is Verdict.PASSED
    assert verdict(problem, "    SEEN.append(a)\n    TABLE[1] = 0\n    return 0\n").verdict is Verdict.FAILED


BOX = "class Box:\n    def __init__(self, held):\n        self.held = held\n"
INNER = {
    "a list in a dictionary": ("KEPT = {1: [10]}\n", "KEPT[1]", "KEPT[1].clear()"),
    "a list in a list": ("KEPT = [[10]]\n", "KEPT[0]", "KEPT[0].clear()"),
    "an instance in a list": (f"{BOX}KEPT = [Box(10)]\n", "KEPT[0].held", "KEPT[0].held = 0"),
    "a list in an instance in a tuple": (f"{BOX}KEPT = [(Box([10]),)]\n", "KEPT[0][0].held", "KEPT[0][0].held.pop()"),
}


@pytest.mark.parametrize("name", INNER)
def test_what_lies_in_an_object_can_be_changed_only_with_it(verdict, name):
    kept, inner, statement = INNER[name]
    prompt, change = f"SEEN = []\n{kept}", f"    {statement}\n"
    works = "    SEEN.append(a)\n    return 10 * a\n"
    problem = problem_of(prompt, works, f"assert (f(1, 2) == 10 or not {inner}) and SEEN == [1]")
    assert verdict(problem, works).verdict is Verdict.PASSED
    assert verdict(problem, f"    SEEN.append(a)\n{change}    return 0\n").verdict is Verdict.FAILED
    changing = problem_of(prompt, change, f"f(1, 2)\n    assert not {inner}")
    assert verdict(changing, change).verdict is Verdict.PASSED
    assert verdict(changing, "    return 0\n").verdict is Verdict.FAILED


def test_a_change_counts_whatever_a_program_says_after_it(verdict):
    test = (
        "x, g = [3, 1], lambda y: y\n    assert f(g, [4]) == 4\n    try:\n        f(g, x)\n"
        "    except ValueError as error:\n        assert str(error) == str(sum(x))"
    )
    problem = problem_of("", "    if len(b) == 1: return b[0]\n    raise ValueError(sum(b))\n", test)
    program = (
        "    if len(b) == 1: return b[0]\n    b[:] = [0]\n    a(7)\n"
        "    last = [each for each in gc.get_objects() if type(each) is channel.Receiver][-1]\n"
        "    error = codec.encode((['ValueError', 'Exception'], '0', 1))\n"
        f"    channel.send(3, protocol.RAISED + error, last.token)\n    import time; time.sleep(60)\n{WIRE}"
    )
    assert verdict(problem, problem.canonical_solution).verdict is Verdict.PASSED
    execution = verdict(problem, program)
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, CHANGED_ARGUMENTS)


def test_a_call_can_not_end_a_loop_of_the_tests(verdict):
    test = "for x in map(f, [1], [2]):\n        assert x == 3\n    assert f(4, 5) == 9"
    problem = problem_of("", "    return a + b\n", test)
    program = "    if a != 1: return a + b\n    say('stop', [], ('', ''))\n    import time; time.sleep(60)\n" + WIRE
    assert verdict(problem, problem.canonical_solution).verdict is Verdict.PASSED
    assert verdict(problem, program).verdict is Verdict.FAILED


def test_an_answer_to_what_is_not_asked_yet_is_none(verdict):
    problem = problem_of("", "    return a + b\n", "assert f(1, 2) == 3 and f(3, 4) == 7")
    program = f"    for value in (3, 7): say('value', value, [], ('', ''))\n    import time; time.sleep(60)\n{WIRE}"
    assert verdict(problem, program).verdict is Verdict.FAILED
