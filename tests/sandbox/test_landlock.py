import errno
import os
import socket
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from evalharness.sandbox.inside import landlock

LIBRARY = sysconfig.get_path("stdlib")
VERSION = landlock.abi() if sys.platform == "linux" else 0


def needs(version, what):
    return pytest.mark.skipif(version > VERSION, reason=f"{what}: Landlock {version}, this kernel has {VERSION}")


def run_restricted(program, work):
    """Run a program in a fresh interpreter that may read its library and write ``work``."""
    start = f"""
        import os, sys
        from evalharness.sandbox.inside import kernel, landlock
        hidden = [{LIBRARY!r} + "/site-packages", {LIBRARY!r} + "/dist-packages"]
        readable, listable = landlock.library_rules([{LIBRARY!r}], hidden)
        rules = landlock.Ruleset(readable, [{str(work)!r}], ["/dev/null"], listable)
        kernel.forbid_new_privileges()
        rules.restrict()
        os.chdir({str(work)!r})
        """
    code = textwrap.dedent(start) + textwrap.dedent(program)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def work(tmp_path):
    """The one folder that may be written, beside files that may not."""
    (tmp_path / "outside").write_text("untouched")
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("version", "last"), [(1, 12), (2, 13), (3, 14), (4, 14), (5, 15), (7, 15)])
def test_all_rights_that_a_version_knows_are_handled(version, last):
    assert landlock._file_rights(version) == (1 << last + 1) - 1


def test_what_is_hidden_gets_no_rule_and_the_rest_one_each(tmp_path):
    for name in ("json", "site-packages", "json/site-packages"):
        (tmp_path / name).mkdir()
    (tmp_path / "abc.py").touch()
    rules = landlock.library_rules([str(tmp_path), "/elsewhere"], [f"{tmp_path}/site-packages"])
    assert rules == ([f"{tmp_path}/abc.py", f"{tmp_path}/json", "/elsewhere"], [str(tmp_path)])


def test_what_is_hidden_deeper_down_gets_no_rule(tmp_path):
    (tmp_path / "lib" / "site-packages").mkdir(parents=True)
    (tmp_path / "lib" / "abc.py").touch()
    rules = landlock.library_rules([str(tmp_path)], [f"{tmp_path}/lib/site-packages"])
    assert rules == ([f"{tmp_path}/lib/abc.py"], [str(tmp_path), f"{tmp_path}/lib"])


def test_a_link_into_what_is_hidden_gets_no_rule(tmp_path):
    hidden = tmp_path / "site-packages"
    hidden.mkdir()
    (hidden / "answers.py").touch()
    (tmp_path / "folder").symlink_to(hidden)
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "file.py").symlink_to(hidden / "answers.py")
    assert landlock.library_rules([str(tmp_path)], [str(hidden)]) == ([], [str(tmp_path)])


@needs(1, "rules")
def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        landlock.Ruleset([f"{tmp_path}/missing"], [])


@needs(1, "rules")
@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "os.listdir('/etc')",
        "open('/proc/self/status')",
        "open('../outside')",
        "open('../outside', 'w')",
        "open('../new', 'w')",
        "os.mkdir('../new')",
        "os.unlink('../outside')",
        "os.rename('../outside', '../other')",
        "os.symlink('a', 'link')",
        "os.mkfifo('fifo')",
        "os.execv('/bin/true', ['true'])",
        "open('/dev/zero')",
        f"open({LIBRARY!r} + '/os.py', 'a')",
        f"open({LIBRARY!r} + '/site-packages/README.txt')",
    ],
)
def test_what_no_rule_names_is_refused(attempt, work):
    if "README" in attempt and not Path(LIBRARY, "site-packages/README.txt").exists():
        pytest.skip("no file is known in this interpreter's site-packages")
    done = run_restricted(attempt, work)
    assert done.returncode == 1
    assert "PermissionError: [Errno 13]" in done.stderr
    assert (work.parent / "outside").read_text() == "untouched"
    assert {path.name for path in work.parent.iterdir()} == {"outside", "work"}


@needs(3, "truncation")
@pytest.mark.parametrize("attempt", ["truncate('../outside', 0)", "open('../outside', os.O_RDONLY | os.O_TRUNC)"])
def test_truncation_outside_is_refused(attempt, work):
    done = run_restricted(f"os.{attempt}", work)
    assert "PermissionError: [Errno 13]" in done.stderr
    assert (work.parent / "outside").read_text() == "untouched"


@needs(1, "rules")
@pytest.mark.parametrize(
    "program",
    [
        "import email.mime.text, xml.dom.minidom, fractions, unicodedata",
        "import json; open(json.__file__).read()",
        "open('a', 'w').write('text'); assert open('a').read() == 'text'; os.truncate('a', 1); os.unlink('a')",
        "os.mkdir('a'); open('a/b', 'w').close(); os.listdir('a'); os.unlink('a/b'); os.rmdir('a')",
        "import tempfile; tempfile.TemporaryFile(dir='.').write(b'text')",
        "open('/dev/null', 'w').write('text'); open('/dev/null').read()",
    ],
)
def test_the_library_and_the_own_folder_can_be_used(program, work):
    done = run_restricted(program, work)
    assert (done.returncode, done.stderr) == (0, "")


@needs(2, "moving between folders")
def test_a_file_moves_between_own_folders(work):
    done = run_restricted("os.mkdir('a'); open('b', 'w').close(); os.rename('b', 'a/b')", work)
    assert (done.returncode, done.stderr) == (0, "")


@needs(4, "TCP")
def test_tcp_is_refused(work):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run_restricted(f"import socket; socket.create_connection(('127.0.0.1', {port}))", work)
    assert "PermissionError: [Errno 13]" in done.stderr


@needs(6, "abstract sockets and signals")
def test_an_abstract_socket_of_another_is_refused(work):
    with socket.socket(socket.AF_UNIX) as server:
        name = f"\0evalharness test {os.getpid()}"
        server.bind(name)
        server.listen()
        done = run_restricted(f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})", work)
    assert "PermissionError: [Errno 1]" in done.stderr


@needs(6, "abstract sockets and signals")
def test_the_parent_is_not_signalled(work):
    done = run_restricted("os.kill(os.getppid(), 0)", work)
    assert "PermissionError: [Errno 1]" in done.stderr


@needs(1, "rules")
def test_a_kernel_that_refuses_the_rules_says_which_call(work):
    ruleset = landlock.Ruleset([], [str(work)])
    ruleset.close()
    with pytest.raises(OSError, match="landlock_restrict_self") as raised:
        ruleset.restrict()
    assert raised.value.errno in {errno.EBADF, errno.EPERM}
