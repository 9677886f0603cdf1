"""Problems of MultiPL-E in JavaScript, judged behind the same walls."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from evalharness.errors import ProblemError, SandboxError
from evalharness.problems import load_problems
from evalharness.records import Problem, Verdict
from evalharness.sandbox import Job, Limits, Sandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed here"),
]
ADD = {
    "name": "HumanEval_53_add",
    "language": "js",
    "prompt": "//Add two numbers x and y\nfunction add(x, y){\n",
    "tests": (
        "const assert = require('node:assert');\n\n\nfunction test() {\n  let candidate = add;\n"
        "  assert.deepEqual(candidate(0, 1),1);\n  assert.deepEqual(candidate(2, 3),5);\n}\n\ntest();"
    ),
    "stop_tokens": ["\nfunction ", "\n/*", "\n//", "\nconsole.log"],
}
ECHO = {
    "name": "echo",
    "language": "js",
    "prompt": "function echo(x){\n",
    "tests": (
        "const assert = require('node:assert');\nfunction test() {\n  let candidate = echo;\n"
        "  for (const x of [null, undefined, NaN, -0, 1e300, 'a\\u0000b', [1, [2]], {a: {b: [true]}}, 12n,\n"
        "    new Map([[1, {a: 2}]]), new Set([1, 'x']), {['__proto__']: 1}, [, 1, ,], 'ab'.match(/(b)/),\n"
        "    Object.assign(new Map([[1, 2]]), {a: 1}), Object.create(null)])\n"
        "    assert.deepStrictEqual(candidate(x), x);\n}\ntest();"
    ),
}
LIMITS = Limits(wall_s=8, cpu_s=2, memory_bytes=512 << 20)
PASSING = {
    "a right answer": "    return x + y;\n}\n",
    "one that prints": "    const sum = [x, y].reduce((a, b) => a + b);\n    console.log(sum);\n    return sum;\n}\n",
}
# An answer in the harness's own channel, with the token of what was asked last.
WIRE = """
const own = require('fs').readSync;
let token = null;
require('fs').readSync = (fd, bytes, ...rest) => {
    const got = own(fd, bytes, ...rest);
    if (bytes.length > 16) token = bytes.subarray(0, 16);
    return got;
};
function answer(value) {
    const content = Buffer.concat([token, Buffer.from('V' + JSON.stringify(value))]);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(content.length);
    require('fs').writeSync(3, Buffer.concat([size, content]));
}
"""
WAITS = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);"
FAILING = {
    "a wrong answer": "    return x - y;\n}\n",
    "no answer": "}\n",
    "no program": "    return x +\n",
    "an exit": "    process.exit(0);\n}\n",
    "an exit at the first level": "    return 0;\n}\nprocess.exit(0);\n",
    "another assert": ("    return 0;\n}\nrequire('node:assert').deepEqual = () => {};\n"),
    "a value that pretends": "    return {valueOf: () => x + y, toString: () => String(x + y)};\n}\n",
    "the tests' own words": "    require('fs').writeSync(1, JSON.stringify({passed: true}));\n    return 0;\n}\n",
    "the wire": f"    answer(['o', [['__proto__', 5]]]);\n    return 0;\n}}\n{WIRE}",
    "a right answer to what is not asked yet": f"    answer(1);\n    answer(5);\n    {WAITS}\n}}\n{WIRE}",
    "an answer of no kind": f"    answer(['z', 1]);\n    {WAITS}\n}}\n{WIRE}",
    "an error that is none": "    throw null;\n}\n",
    "an error by the name of what every object has": "    throw {name: 'constructor', message: '5'};\n}\n",
    "another JSON": "    return 0;\n}\nJSON.stringify = () => '5';\n",
    "a prototype of all objects": "    return {};\n}\nObject.prototype.valueOf = () => 5;\n",
    "a signal": "    process.kill(process.ppid, 9);\n    return 0;\n}\n",
    "the debugger": "    require('inspector').open(0, '127.0.0.1', false);\n    return 0;\n}\n",
    "a connection": "    require('net').connect(80, '127.0.0.1');\n    return 0;\n}\n",
    "a worker that ends the process": (
        "    new (require('worker_threads').Worker)('process.exit(0)', {eval: true});\n    return 0;\n}\n"
    ),
    "another program": "    process.execve('/bin/true', ['true'], {});\n    return 0;\n}\n",
    "a library": "    process.dlopen({exports: {}}, '/lib/x86_64-linux-gnu/libc.so.6');\n    return x + y;\n}\n",
    "a process": "    return Number(require('child_process').execSync(`echo ${x + y}`));\n}\n",
    "a file outside": "    require('fs').readFileSync('/etc/passwd');\n    return x + y;\n}\n",
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    file = tmp_path_factory.mktemp("multipl_e") / "humaneval-js.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (ADD, ECHO)))
    return load_problems(file, environment={}).problems


@pytest.fixture(scope="module")
def judge():
    """The execution of a program in JavaScript."""
    with Sandbox(workers=1, languages=["javascript"], limits=LIMITS) as sandbox:
        yield lambda problem, text: next(sandbox.run([Job(problem.task_id, 0, problem, text)]))


def test_a_file_of_multipl_e_is_recognised(problems):
    add, _ = problems
    assert (add.task_id, add.language, add.entry_point) == ("HumanEval_53_add", "javascript", "add")
    assert add.stop == tuple(ADD["stop_tokens"])


def test_another_language_of_multipl_e_is_refused(tmp_path):
    file = tmp_path / "humaneval-rs.jsonl"
    file.write_text(json.dumps({**ADD, "language": "rs"}) + "\n")
    with pytest.raises(ProblemError):
        load_problems(file, environment={})


def test_an_own_problem_in_javascript_is_judged(judge, tmp_path):
    check = "function check(candidate) { if (candidate(1, 2) !== 3) throw new Error('wrong'); }"
    row = {
        "task_id": "own",
        "prompt": ADD["prompt"],
        "entry_point": "add",
        "canonical_solution": PASSING["a right answer"],
        "test": check,
    }
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({**row, "language": "javascript"}) + "\n")
    (problem,) = load_problems(file, environment={}).problems
    verdicts = [judge(problem, text).verdict for text in (PASSING["a right answer"], FAILING["a wrong answer"])]
    assert verdicts == [Verdict.PASSED, Verdict.FAILED]


def test_values_cross_as_they_are(judge, problems):
    execution = judge(problems[1], "    return x;\n}\n")
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")


UNLIKE = {
    "an array of another class": ("[1, 2]", "new (class extends Array {})(1, 2)"),
    "an array with a property": ("[1, 2]", "Object.assign([1, 2], {at: 3})"),
    "an array with a hole": ("[undefined, 1]", "[, 1]"),
    "an object of a class": ("{a: 1}", "Object.assign(new (class Own {})(), {a: 1})"),
    "an object without a prototype": ("{a: 1}", "Object.assign(Object.create(null), {a: 1})"),
    "an object with a symbol": ("{a: 1}", "{a: 1, [Symbol('b')]: 2}"),
    "a map of another class": ("new Map([[1, 2]])", "new (class extends Map {})([[1, 2]])"),
    "a set with another prototype": ("new Set([1])", "Object.setPrototypeOf(new Set([1]), Set)"),
    "a date that says it is an object": ("{a: 1}", "Object.assign(new Date(), {a: 1, [Symbol.toStringTag]: 'Object'})"),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_is_strictly_equal_to_no_plain_value_is_so_when_it_has_crossed(judge, name):
    plain, unlike = UNLIKE[name]
    problem = own(f"const assert = require('assert');\nassert.deepStrictEqual(add(1, 2), {plain});")
    verdicts = [judge(problem, f"    return {value};\n}}\n").verdict for value in (plain, unlike)]
    assert verdicts == [Verdict.PASSED, Verdict.FAILED]


def own(check):
    prompt = ADD["prompt"]
    return Problem("own", prompt, "add", "    return x + y;\n}\n", check, language="javascript")


LATER = {
    "an asynchronous check": "async function check(candidate) { await null; assert.equal(candidate(1, 2), 3); }",
    "a promise that nobody waits for": (
        "function check(candidate) { (async () => { await null; assert.equal(candidate(1, 2), 3); })(); }"
    ),
    "a timer": "function check(candidate) { setTimeout(() => assert.equal(candidate(1, 2), 3), 1); }",
    "asynchronous statements": "(async () => { await null; assert.equal(add(1, 2), 3); })();",
}


@pytest.mark.parametrize("name", LATER)
def test_what_the_tests_find_out_later_counts(judge, name):
    problem = own(f"const assert = require('assert');\n{LATER[name]}")
    verdicts = [judge(problem, f"    return x {sign} y;\n}}\n").verdict for sign in "+-"]
    assert verdicts == [Verdict.PASSED, Verdict.FAILED]


def test_tests_that_wait_for_what_never_comes_are_not_passed(judge):
    waiting = "async function check(candidate) { candidate(1, 2); await new Promise(() => 0); }"
    assert judge(own(waiting), "    return x + y;\n}\n").verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "test",
    [
        "eval(candidate(1, 2))",
        "new Function(candidate(1, 2))()",
        "require('node:vm').runInThisContext(candidate(1, 2))",
        "require( candidate(1, 2))",
    ],
)
def test_what_a_program_answers_is_not_run_beside_the_judge(judge, tmp_path, test):
    reached = tmp_path / "reached"
    problem = own(f"function check(candidate) {{ {test}; }}")
    program = f"    return \"require('fs').writeFileSync('{reached}', '')\";\n}}\n"
    assert judge(problem, program).verdict is Verdict.NOT_JUDGED
    assert not reached.exists()


def test_limits_hold(judge, problems):
    endless = judge(problems[0], "    for (;;);\n}\n")
    assert endless.verdict is Verdict.TIMED_OUT
    large = judge(problems[0], "    const all = [];\n    for (;;) all.push(new ArrayBuffer(1 << 26).slice(0));\n}\n")
    assert large.verdict in {Verdict.FAILED, Verdict.OUT_OF_MEMORY, Verdict.CRASHED}


@pytest.mark.parametrize("level", ["A", "B", "C"])
def test_each_level_judges_the_same(problems, level):
    programs = PASSING | FAILING
    try:
        with Sandbox(workers=1, languages=["javascript"], level=level, limits=LIMITS) as sandbox:
            jobs = [Job(name, 0, problems[0], text) for name, text in programs.items()]
            verdicts = {e.task_id: e.verdict for e in sandbox.run(jobs)}
    except SandboxError as error:
        pytest.skip(f"level {level} can't be had here: {error}")
    assert verdicts == dict.fromkeys(PASSING, Verdict.PASSED) | dict.fromkeys(FAILING, Verdict.FAILED)
