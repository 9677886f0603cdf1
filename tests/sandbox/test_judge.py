"""The judge against a scripted program: what is irregular stands, whatever the tests make of it."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections import deque
from contextlib import closing, suppress

import pytest

from evalharness.sandbox.inside import channel, codec, protocol
from evalharness.sandbox.inside.judge import CHANGED_ARGUMENTS, Judge, Outcome, as_verdict
from evalharness.sandbox.inside.judged_program import Ending

ENDED = "ended 0 1500 9000"
PASSED, FAILED = ("passed", ""), "failed"
ADD_TEST = "def check(candidate):\n    assert candidate(2, 3) == 5\n"


class Program:
    """The far end of a judge's channel, as a program that may write anything has it."""

    def __init__(self, fd):
        self._socket = socket.socket(fileno=fd)
        self._receiver = channel.Receiver(fd, 1 << 30)
        self.order = b""

    def begin(self):
        """Be set up, take the source and say that it was run."""
        self.write(protocol.READY)
        self.take_order()
        self.write(protocol.DONE)

    def asked(self):
        """The next call: a name, arguments, and those that have names."""
        return codec.decode(self._heard()[1:])

    def answer(self, value):
        name_and_arguments = self.asked()
        self.write(protocol.VALUE + codec.encode(value))
        return name_and_arguments

    def change(self, value, arguments, named=None):
        self.asked()
        self.write(protocol.CHANGED + codec.encode((value, arguments, named or {})))

    def throw(self, *names, message="text", line=7):
        self.asked()
        self.write(protocol.RAISED + codec.encode(([*names], message, line)))

    def take_order(self):
        self.order = self._heard()

    def _heard(self):
        return self._receiver.receive(protocol.TOKEN_BYTES)

    def write(self, payload):
        """Say what belongs to the last message that was heard."""
        self.write_frame(self._receiver.token + payload)

    def write_frame(self, content):
        self.write_raw(len(content).to_bytes(4, "little") + content)

    @property
    def token(self):
        return self._receiver.token

    def write_raw(self, data):
        self._socket.sendall(data)

    def close(self):
        self._socket.close()


def honest(program):
    """A program that adds what it is asked to."""
    program.begin()
    while True:
        _, arguments, _ = program.asked()
        program.write(protocol.VALUE + codec.encode(sum(arguments)))


class Zygote:
    """The far end of a judge's control socket: for each program that is ordered, one script in its place."""

    def __init__(self, scripts, report=ENDED):
        self.control, self._mine = socket.socketpair()
        self._scripts, self._report = list(scripts), report
        self.programs = []
        self.last_order = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        with self._mine:
            for script in self._scripts:
                _, fds, *_ = socket.recv_fds(self._mine, protocol.ORDER_BYTES, 1)
                program = Program(fds[0])
                self.programs.append(program)
                with closing(program), suppress(OSError, TypeError):  # the judge closes its end first
                    script(program)
                if self._report is None:
                    return
                self.last_order = self._mine.recv(protocol.ORDER_BYTES)
                self._mine.sendall(self._report.encode().ljust(protocol.REPORT_BYTES))

    def join(self):
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self.control.close()


@pytest.fixture
def judge():
    """Judge one job for each list of scripts; each of them is one fork that the judge asks for."""
    zygotes = []

    def judge_with(*scripts, report=ENDED, test=ADD_TEST, **job):
        zygotes.append(Zygote(scripts, report))
        settings = {"prompt": "", "entry_point": "f", "solution": "", "judged": "apart", "careful": False, "cpu_s": 1.0}
        return Judge(zygotes[-1].control).judge({**settings, "program": "pass\n", "test": test, **job})

    judge_with.zygotes = zygotes
    yield judge_with
    for zygote in zygotes:
        zygote.join()


def verdict(reply):
    return reply["verdict"], reply["detail"]


@pytest.mark.parametrize(
    ("outcome", "ending", "expected"),
    [
        (Outcome("passed", ""), Ending("killed", -9, 0.1, 1), ("passed", "")),
        (Outcome("failed", "KeyError"), Ending("killed", -9, 0.1, 1), ("failed", "KeyError")),
        (Outcome("memory", "MemoryError"), Ending("killed", -9, 0.1, 1), ("memory", "MemoryError")),
        (Outcome("fault", "raised SystemExit"), Ending("killed", -9, 0.1, 1), ("failed", "raised SystemExit")),
        (Outcome("gone", ""), Ending("ended", 0, 0.1, 1), ("failed", "exited before the tests finished")),
        (Outcome("gone", ""), Ending("ended", 3, 0.1, 1), ("failed", "exited before the tests finished")),
        (Outcome("gone", ""), Ending("killed", -9, 0.1, 1), ("failed", "exited before the tests finished")),
        (Outcome("gone", ""), Ending("ended", protocol.NO_MEMORY_STATUS, 0.1, 1), ("memory", "")),
        (Outcome("gone", ""), Ending("ended", -11, 0.1, 1), ("signal", "")),
        (Outcome("gone", ""), Ending("cpu", -9, 0.1, 1), ("cpu", "")),
        (Outcome("fault", "a lie"), Ending("output", -9, 0.1, 1), ("output", "")),
        (Outcome("passed", ""), Ending("cpu", -9, 0.1, 1), ("cpu", "")),
        (Outcome("passed", ""), Ending("output", -9, 0.1, 1), ("output", "")),
        (Outcome("passed", ""), Ending("disk", -9, 0.1, 1), ("disk", "")),
    ],
)
def test_the_verdict_is_of_both_sides(outcome, ending, expected):
    assert verdict(as_verdict(outcome, ending)) == expected


def test_what_a_program_used_is_what_the_zygote_saw(judge):
    reply = judge(honest, report="killed -9 250000 4096")
    assert (reply["exit_code"], reply["cpu_s"], reply["peak_memory_kib"]) == (-9, 0.25, 4096)


def test_right_answers_pass(judge):
    assert verdict(judge(honest)) == PASSED


def test_a_wrong_answer_fails_at_its_assert(judge):
    reply = judge(lambda program: (program.begin(), program.answer(6)))
    assert verdict(reply) == (FAILED, "AssertionError (line 2 of the tests)")


def test_a_call_crosses_with_its_name_and_all_arguments(judge):
    asked = []
    judge(lambda p: (p.begin(), asked.append(p.answer(5))), test="def check(c):\n    assert c([2], x={3}) == 5\n")
    assert asked == [("f", ([2],), {"x": {3}})]


def test_an_answer_that_trickles_in_is_read(judge):
    def trickling(program):
        program.begin()
        program.asked()
        for byte in b"\x12\x00\x00\x00" + program.token + protocol.VALUE + codec.encode(5):
            program.write_raw(bytes([byte]))

    assert verdict(judge(trickling)) == PASSED


IRREGULAR = {
    "a length above the limit": lambda program: program.write_raw(b"\xff\xff\xff\xff"),
    "an empty frame": lambda program: program.write(b""),
    "no kind that there is": lambda program: program.write(b"Z" + codec.encode(5)),
    "the word for being set up": lambda program: program.write(protocol.READY),
    "the word for having run": lambda program: program.write(protocol.DONE),
    "no value": lambda program: program.write(protocol.VALUE),
    "half a value": lambda program: program.write(protocol.VALUE + codec.encode([5])[:-1]),
    "a value with more behind it": lambda program: program.write(protocol.VALUE + codec.encode(5) + b"\0"),
    "random bytes": lambda program: program.write(protocol.VALUE + bytes(range(256))),
    "a value that nests too deep": lambda program: program.write(protocol.VALUE + b"[" * 10_000),
    "changed arguments that are no three": lambda program: program.write(protocol.CHANGED + codec.encode((5,))),
    "changed arguments that are too few": lambda program: program.write(protocol.CHANGED + codec.encode((5, (), {}))),
    "changed arguments of no kind": lambda program: program.write(protocol.CHANGED + codec.encode((5, 6, 7))),
    "an exception that is no three": lambda program: program.write(protocol.RAISED + codec.encode(5)),
    "an exception with a line of text": lambda p: p.write(protocol.RAISED + codec.encode((["Exception"], "", "x"))),
    "an exception with no names": lambda p: p.write(protocol.RAISED + codec.encode((7, "", 1))),
    "an exception on an endless line": lambda p: p.write(protocol.RAISED + codec.encode((["Exception"], "", 10**5000))),
    "an exception on line infinity": lambda p: p.write(
        protocol.RAISED + codec.encode((["Exception"], "", float("inf")))
    ),
    "half an answer": lambda program: program.write_raw(b"\x09\x00\x00\x00V"),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_an_answer_that_can_not_be_read_is_a_failure(judge, name, golden_text):
    def script(program):
        program.begin()
        program.asked()
        IRREGULAR[name](program)

    said, detail = verdict(judge(script))
    assert said == FAILED
    golden_text(detail, {r"\(.*\)": "(<what is wrong>)"})  # in part in the words of the interpreter


CATCHING = """
def check(candidate):
    for _ in range(3):
        try:
            candidate(2, 3)
        except:
            pass
"""


@pytest.mark.parametrize(
    "fault",
    [
        lambda program: program.write(b"Z"),
        lambda program: program.throw("SystemExit", "BaseException"),
        lambda program: program.close(),
    ],
    ids=["a bad answer", "no exception", "an end"],
)
def test_a_fault_stands_though_the_tests_catch_everything(judge, fault):
    def script(program):
        program.begin()
        program.answer(5)
        fault(program)
        program.answer(5)

    assert judge(script, test=CATCHING)["verdict"] == FAILED


def test_after_a_fault_the_program_is_asked_nothing_more(judge):
    asked = []

    def script(program):
        program.begin()
        asked.append(program.answer(5))
        program.throw("GeneratorExit")
        asked.append(program.answer(5))

    assert verdict(judge(script, test=CATCHING)) == (FAILED, "raised GeneratorExit")
    assert len(asked) == 1


def test_a_program_that_ends_before_it_answers_has_exited(judge):
    reply = judge(lambda program: program.begin())
    assert verdict(reply) == (FAILED, "exited before the tests finished")


def test_a_program_that_ends_with_a_call_unread_has_exited(judge):
    def script(program):
        program.begin()
        program._socket.recv(1, socket.MSG_PEEK)

    assert verdict(judge(script)) == (FAILED, "exited before the tests finished")


@pytest.mark.parametrize(
    ("script", "word"),
    [(lambda program: program.begin(), protocol.GONE), (honest, protocol.KILL)],
    ids=["by itself", "because it is done"],
)
def test_a_program_that_ends_by_itself_is_let_die_of_what_ended_it(judge, script, word):
    judge(script)
    judge.zygotes[0].join()
    assert judge.zygotes[0].last_order.startswith(word)


def test_a_program_that_ends_in_the_middle_of_its_tests_has_exited(judge):
    reply = judge(lambda p: (p.begin(), p.answer(5)), test=f"{ADD_TEST}    assert candidate(1, 1) == 2\n")
    assert verdict(reply) == (FAILED, "exited before the tests finished")


@pytest.mark.parametrize("token", [b"", bytes(protocol.TOKEN_BYTES), b"R" * 17])
def test_who_has_not_read_its_orders_can_not_say_that_they_are_done(judge, token):
    def script(program):
        program.write(protocol.READY)
        program.write_frame(token + protocol.DONE)
        program.write_frame(token + protocol.VALUE + codec.encode(5))
        program.take_order()

    assert verdict(judge(script)) == (FAILED, "wrote into the harness's own channel")


@pytest.mark.parametrize("before", ["the call", "the call before"])
def test_who_has_not_read_a_call_can_not_have_answered_it(judge, before):
    def script(program):
        program.begin()
        if before == "the call before":
            program.answer(5)
        program.write(protocol.VALUE + codec.encode(5))
        program.take_order()

    test = f"{ADD_TEST}    assert candidate(1, 4) == 5\n" if before == "the call before" else ADD_TEST
    assert verdict(judge(script, test=test)) == (FAILED, "wrote into the harness's own channel")


def test_an_answer_before_the_source_was_run_is_a_fault(judge):
    def script(program):
        program.write(protocol.READY)
        program.write_frame(bytes(protocol.TOKEN_BYTES) + protocol.VALUE + codec.encode(5))
        program.take_order()

    assert verdict(judge(script)) == (FAILED, "wrote into the harness's own channel")


def test_a_process_that_ends_before_it_is_set_up_is_for_another_worker(judge):
    reply = judge(lambda program: program.close(), report="ended 87 100 100")
    assert (reply["begun"], "87" in reply["lost"]) == (False, True)


def test_an_exception_at_module_level_has_its_name_and_line(judge):
    def script(program):
        program.write(protocol.READY)
        program.take_order()
        program.write(protocol.RAISED + codec.encode((["Odd", "Exception"], "no\nreason", 3)))

    assert verdict(judge(script)) == (FAILED, "Odd: no (line 3)")


EXCEPTIONS = [
    (("ValueError", "Exception"), "ValueError"),
    (("Mine", "ValueError", "Exception", "BaseException", "object"), "ValueError"),
    (("KeyError", "LookupError", "Exception"), "KeyError"),
    (("UnicodeDecodeError", "UnicodeError", "ValueError", "Exception"), "UnicodeDecodeError"),
    (("InvalidOperation", "DecimalException", "ArithmeticError", "Exception"), "decimal.InvalidOperation"),
    (("JSONDecodeError", "ValueError", "Exception"), "json.JSONDecodeError"),
    (("__class__", "__doc__", "Exception"), "Exception"),
    (("AssertionError", "Exception"), "AssertionError"),
    (("Mine", "Exception"), "Exception"),
    (("UserWarning", "Warning", "Exception"), "Exception"),
    (("ExceptionGroup", "BaseExceptionGroup", "Exception"), "Exception"),
    (("StopIteration", "Exception"), "RuntimeError"),
    (("Mine", "StopIteration", "Exception"), "RuntimeError"),
    (("StopAsyncIteration", "Exception"), "RuntimeError"),
    # A class of the program's own that is called Exception is one; so is one that bears another's name.
    (("Exception", "BaseException"), "Exception"),
    (("SystemExit", "Exception"), "Exception"),
    (("print", "int", "Judge", "Fault", "Exception"), "Exception"),
]


@pytest.mark.parametrize(("names", "kind"), EXCEPTIONS)
def test_an_exception_arrives_as_the_nearest_harmless_kind(judge, names, kind):
    test = (
        "import decimal, json\ndef check(candidate):\n    try:\n        candidate(1)\n"
        f"    except BaseException as error:\n        assert type(error) is {kind}, type(error)\n"
        "    else:\n        assert False\n"
    )
    assert verdict(judge(lambda program: (program.begin(), program.throw(*names)), test=test)) == PASSED


@pytest.mark.parametrize(("tag", "said"), [(protocol.NO_THREAD, "no_thread"), (protocol.RAISED, "failed")])
def test_that_no_thread_was_to_be_had_is_known_by_the_kind_of_the_answer_and_not_by_its_words(judge, tag, said):
    def script(program):
        program.begin()
        program.asked()
        program.write(tag + codec.encode((["RuntimeError", "Exception"], "can't start new thread", 1)))

    assert judge(script)["verdict"] == said


@pytest.mark.parametrize("names", [("SystemExit",), ("KeyboardInterrupt",), ("GeneratorExit",), ("Mine", "object")])
def test_what_is_no_exception_is_a_fault(judge, names):
    reply = judge(lambda program: (program.begin(), program.throw(*names, "BaseException")))
    assert verdict(reply) == (FAILED, f"raised {names[0]}")


def test_an_exception_without_a_name_is_a_fault(judge):
    assert judge(lambda program: (program.begin(), program.throw()))["verdict"] == FAILED


def test_a_top_level_stop_iteration_ends_no_loop_of_the_tests(judge):
    test = "def check(candidate):\n    assert all(map(candidate, [1, 2]))\n"
    reply = judge(lambda program: (program.begin(), program.throw("StopIteration", "Exception")), test=test)
    assert verdict(reply) == (FAILED, "StopIteration: text (line 7)")


def test_a_memory_error_that_nobody_catches_is_out_of_memory(judge):
    reply = judge(lambda program: (program.begin(), program.throw("MemoryError", "Exception")))
    assert reply["verdict"] == "memory"


def test_the_names_of_an_exception_take_no_memory_here(judge):
    def script(program):
        program.begin()
        program.asked()
        program.write(protocol.RAISED + codec.encode((range(10**6), "", 1)))

    tracemalloc.start()
    try:
        assert judge(script)["verdict"] == FAILED
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_tests_that_never_ask_have_not_been_passed(judge):
    reply = judge(honest, test="def check(candidate):\n    pass\n")
    assert verdict(reply) == (FAILED, "its functions were never called")


def test_an_exception_that_the_tests_expect_is_an_answer(judge):
    test = "def check(c):\n    try:\n        c()\n    except ValueError:\n        return\n    assert False\n"
    reply = judge(lambda program: (program.begin(), program.throw("ValueError", "Exception")), test=test)
    assert verdict(reply) == PASSED


@pytest.mark.parametrize("text", ["'x'", "3", "('a', 1)", "<object>", "'it''s'"])
def test_the_text_of_a_key_error_is_that_of_the_program(judge, text):
    test = (
        "def check(candidate):\n    try:\n        candidate()\n    except KeyError as error:\n"
        f"        assert str(error) == {text!r}\n        return\n    assert False\n"
    )
    reply = judge(lambda program: (program.begin(), program.throw("KeyError", "Exception", message=text)), test=test)
    assert verdict(reply) == PASSED


LOOKING = "from collections import deque\ndef check(candidate):\n    {0}\n    candidate(mine)\n    assert mine == {1}\n"


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("[3, 1]", [1, 3], "[1, 3]"),
        ("{1: 2}", {2: 1}, "{2: 1}"),
        ("{1}", {2}, "{2}"),
        ("bytearray(b'a')", bytearray(b"bc"), "b'bc'"),
        ("deque([1])", deque([2]), "deque([2])"),
    ],
)
def test_arguments_that_were_changed_come_back_changed(judge, old, new, seen):
    def script(program):
        program.begin()
        program.change(None, (new,))

    # The fourth fork is the canonical solution's own attempt without its changes.
    reply = judge(script, script, script, script, test=LOOKING.format(f"mine = {old}", seen))
    assert verdict(reply) == PASSED


def test_a_named_argument_comes_back_changed(judge):
    def script(program):
        program.begin()
        program.change(None, (), {"x": [1, 3]})

    test = "def check(candidate):\n    mine = [3, 1]\n    candidate(x=mine)\n    assert mine == [1, 3]\n"
    assert verdict(judge(script, script, script, script, test=test)) == PASSED


def test_a_pass_that_changed_nothing_is_judged_once(judge):
    judge(honest)
    assert len(judge.zygotes[0].programs) == 1


def test_a_pass_that_changed_its_arguments_stands_where_it_passes_without(judge):
    def script(program):
        program.begin()
        program.change(5, ([],))

    reply = judge(script, script, test="def check(candidate):\n    assert candidate([2, 3]) == 5\n")
    assert verdict(reply) == PASSED
    assert len(judge.zygotes[0].programs) == 2


def test_a_change_under_any_numbers_counts(judge):
    def emptying(program):
        program.begin()
        program.change([], ([],))

    def sorting(program):
        program.begin()
        _, (mine,), _ = program.asked()
        program.write(protocol.VALUE + codec.encode(sorted(mine)))

    test = (
        "import random\ndef check(candidate):\n    mine = [random.random(), random.random()]\n"
        "    assert candidate(mine) == sorted(mine)\n"
    )
    # After three attempts one without changes, and the canonical solution's own with and without.
    reply = judge(emptying, sorting, sorting, emptying, sorting, sorting, test=test)
    assert verdict(reply) == (FAILED, CHANGED_ARGUMENTS)


def test_a_pass_that_needs_its_changes_where_the_solution_does_not_is_a_failure(judge):
    def emptying(program):
        program.begin()
        program.change([], ([],))

    def sorting(program):
        program.begin()
        program.answer([1, 3])

    test = "def check(candidate):\n    mine = [3, 1]\n    assert candidate(mine) == sorted(mine)\n"
    reply = judge(emptying, emptying, sorting, sorting, test=test)
    assert verdict(reply) == (FAILED, CHANGED_ARGUMENTS)


def test_whether_a_solution_needs_its_changes_is_found_out_once(judge):
    def sorting(program):
        program.begin()
        program.change(None, ([1, 3],))

    zygote = Zygote([sorting] * 6)
    judge.zygotes.append(zygote)
    the_judge = Judge(zygote.control)
    job = {"prompt": "", "entry_point": "f", "solution": "", "judged": "apart", "careful": False, "cpu_s": 1.0}
    job |= {"program": "pass\n", "test": LOOKING.format("mine = [3, 1]", "[1, 3]")}
    assert [verdict(the_judge.judge(job)) for _ in range(2)] == [PASSED, PASSED]
    assert len(zygote.programs) == 6


DRAWING = "import random\ndef check(candidate):\n    assert candidate(random.random()) == 5\n"


def test_tests_that_draw_are_run_again_and_again_with_other_numbers_each_time(judge):
    drawn = []

    def script(program):
        program.begin()
        drawn.append(program.answer(5)[1])

    reply = judge(script, script, script, test=DRAWING)
    assert (reply["verdict"], reply["random_seeds"], len(set(drawn))) == ("passed", 3, 3)


def test_a_program_that_fails_with_some_of_the_numbers_fails(judge):
    def answering(value):
        def script(program):
            program.begin()
            program.answer(value)

        return script

    reply = judge(answering(5), answering(4), test=DRAWING)
    assert (reply["verdict"], reply["random_seeds"]) == ("failed", 2)


def test_tests_that_draw_nothing_are_run_once(judge):
    assert judge(honest)["random_seeds"] == 0


def test_a_slow_program_is_given_the_numbers_that_there_is_time_for(judge):
    def script(program):
        program.begin()
        time.sleep(0.3)
        program.answer(5)

    assert judge(script, test=DRAWING, cpu_s=0.5)["random_seeds"] == 1


@pytest.mark.parametrize(
    ("program", "careful", "kind"),
    [
        ("pass\n", False, protocol.CODE),
        ("pass\n", True, protocol.SOURCE),
        ("# " + "x" * (1 << 16) + "\n", False, protocol.SOURCE),
    ],
    ids=["small", "careful", "large"],
)
def test_only_a_small_source_is_compiled_here(judge, program, careful, kind):
    judge(honest, program=program, careful=careful)
    assert judge.zygotes[0].programs[0].order[:1] == kind


def test_a_zygote_that_is_gone_loses_the_worker_and_not_the_program(judge, golden_text):
    reply = judge()
    assert reply["begun"] is False
    golden_text(reply["lost"], replacing={r" \(\[Errno .*\)$": ""})  # told when sending or when receiving


def test_a_zygote_that_goes_with_its_program_says_that_it_had_begun(judge):
    reply = judge(lambda program: program.begin(), report=None)
    assert (reply["begun"], reply["lost"]) == (True, "the zygote is gone")


def test_a_zygote_that_can_not_fork_says_why(judge):
    reply = judge(lambda program: program.close(), report="failed [Errno 11] Resource temporarily unavailable")
    assert reply == {"lost": "failed [Errno 11] Resource temporarily unavailable", "begun": False}


def test_tests_that_can_not_judge_ask_for_no_fork(judge):
    assert verdict(judge(test="")) == ("not_judged", "the problem has no tests")


def test_a_problem_judged_in_process_needs_only_to_have_run(judge):
    assert verdict(judge(lambda program: program.begin(), judged="in_process", test="pass")) == PASSED


def test_a_question_of_the_harness_is_handed_on(judge):
    asked = []
    reply = judge(lambda p: (p.begin(), asked.append(p.answer({"a": 1}))), ask="attempts", arguments=["x"])
    assert (reply, asked) == ({"answer": {"a": 1}}, [("attempts", ("x",), {})])
