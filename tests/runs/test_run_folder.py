import json
import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalharness.errors import StoreError
from evalharness.runs import paths
from evalharness.runs.folder import RunFolder
from evalharness.runs.frames import load_run
from evalharness.runs.json_values import json_line


def records(folder, name="completions"):
    with RunFolder(folder) as run, run.journal(name) as journal:
        return journal.known


def written(folder, *items, name="completions"):
    with RunFolder(folder) as run, run.journal(name) as journal:
        for key, record in items:
            journal.append(key, record)
    return folder / ".journal" / f"{name}.jsonl"


def test_what_was_kept_is_known_to_the_next_run(tmp_path):
    written(tmp_path, ("a", {"n": 1}), ("b", {"text": "\n\u2028é"}))
    written(tmp_path, ("c", {"n": 3}))
    assert records(tmp_path) == {"a": {"n": 1}, "b": {"text": "\n\u2028é"}, "c": {"n": 3}}


def test_a_record_has_left_the_process_once_it_is_kept(tmp_path):
    with RunFolder(tmp_path) as run, run.journal("x") as journal:
        journal.append("a", {"n": 1})
        assert (tmp_path / ".journal/x.jsonl").read_text() == '{"key": "a", "record": {"n": 1}}\n'


@pytest.mark.parametrize("torn", [b'{"key": "b", "rec', b"\x00\x00", b'{"key": "b", "record": {"n": 2}}'])
def test_a_torn_last_line_is_ignored_and_redone(tmp_path, torn):
    file = written(tmp_path, ("a", {"n": 1}))
    file.write_bytes(file.read_bytes() + torn)
    assert records(tmp_path) == {"a": {"n": 1}}
    written(tmp_path, ("b", {"n": 3}))
    assert records(tmp_path) == {"a": {"n": 1}, "b": {"n": 3}}


def test_every_place_of_a_kill_leaves_a_journal_that_goes_on(tmp_path):
    file = written(tmp_path, ("a", {"n": 1}), ("b", {"n": 2}))
    whole = file.read_bytes()
    for end in range(len(whole) + 1):
        file.write_bytes(whole[:end])
        known = records(tmp_path)
        assert list(known) == ["a", "b"][: whole[:end].count(b"\n")]
        missing = [(key, {"n": n}) for key, n in (("a", 1), ("b", 2)) if key not in known]
        written(tmp_path, *missing)
        assert file.read_bytes() == whole


def test_lines_that_are_no_entries_are_passed_over(tmp_path):
    file = written(tmp_path, ("a", {"n": 1}))
    file.write_bytes(b'\n[1]\n{"key": 1}\n\xff\xfe\n' + file.read_bytes())
    assert records(tmp_path) == {"a": {"n": 1}}


def test_the_last_record_of_a_key_counts(tmp_path):
    written(tmp_path, ("a", {"n": 1}), ("a", {"n": 2}))
    assert records(tmp_path) == {"a": {"n": 2}}


def test_surrogates_survive(tmp_path):
    written(tmp_path, ("a", {"text": "x\ud800y"}))
    assert records(tmp_path) == {"a": {"text": "x\ud800y"}}


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
)
def test_a_line_is_one_line_of_valid_utf8_and_gives_the_row_back(row):
    line = json_line(row)
    assert line.splitlines() == [line[:-1]]
    assert line.encode()
    assert json.loads(line) == row


def test_a_line_is_one_line_to_every_reader():
    line = json_line({"text": "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\nb"})
    assert line.splitlines() == [line[:-1]]


def test_a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        run.write("report.md", "old")
        held = (tmp_path / "run/report.md").open()
        run.write("report.md", "new")
        assert held.read() == "old"
        held.close()
        run.write_rows("completions/x.jsonl", [{"a": 1}, {"b": "é"}])
    assert (tmp_path / "run/report.md").read_text() == "new"
    assert (tmp_path / "run/completions/x.jsonl").read_text(encoding="utf-8") == '{"a": 1}\n{"b": "é"}\n'
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [".lock", "completions", "report.md"]


def test_a_file_that_cannot_be_replaced_leaves_the_old_one_and_no_other(tmp_path, golden_text):
    with RunFolder(tmp_path) as run:
        (tmp_path / "report.md").mkdir()
        with pytest.raises(StoreError) as error:
            run.write("report.md", "new")
        golden_text(error)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "report.md"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, golden_text):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error, RunFolder(tmp_path / "file" / "run"):
        pass
    golden_text(error)


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


TRY = """
    import sys
    from pathlib import Path
    from evalharness.errors import StoreError
    from evalharness.runs.folder import RunFolder
    try:
        with RunFolder(Path(sys.argv[1])):
            print("in")
    except StoreError as error:
        print(error)
"""


def test_a_second_process_is_refused_and_let_in_afterwards(tmp_path, golden_text):
    with RunFolder(tmp_path):
        refused = run_python(TRY, tmp_path)
    golden_text(refused.stdout)
    assert len(refused.stdout.splitlines()) == 1
    assert run_python(TRY, tmp_path).stdout == "in\n"


def test_a_killed_process_leaves_no_lock(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from evalharness.runs.folder import RunFolder
        with RunFolder(Path(sys.argv[1])):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_python(code, tmp_path).returncode == -signal.SIGKILL
    assert run_python(TRY, tmp_path).stdout == "in\n"


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from evalharness.errors import StoreError
    from evalharness.runs.folder import RunFolder
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        with RunFolder(Path(sys.argv[1])) as run:
            if sys.argv[2] == "journal":
                with run.journal("x") as journal:
                    for i in range(1000):
                        journal.append(str(i), {"text": "x" * 100})
            else:
                run.write("report.md", "new" * 5000)
    except StoreError as error:
        print(error)
"""


def test_a_full_disk_while_keeping_records_is_one_line_and_loses_nothing(tmp_path):
    done = run_python(FULL, tmp_path, "journal")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("x.jsonl: can't be written: File too large\n")
    assert len(done.stdout.splitlines()) == 1
    known = records(tmp_path, "x")
    assert len(known) > 20
    assert all(record == {"text": "x" * 100} for record in known.values())


def test_a_full_disk_while_writing_a_file_is_one_line_and_the_old_file_stands(tmp_path):
    (tmp_path / "report.md").write_text("old")
    done = run_python(FULL, tmp_path, "file")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("report.md: can't be written: File too large\n")
    assert (tmp_path / "report.md").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "report.md"]


def test_files_can_be_read_by_others(tmp_path):
    with RunFolder(tmp_path) as run:
        assert run.write("report.md", "x").stat().st_mode & 0o777 == 0o644


def test_a_journal_that_is_not_open_takes_nothing(tmp_path, golden_text):
    with RunFolder(tmp_path) as run, pytest.raises(StoreError) as error:
        run.journal("x").append("a", {})
    golden_text(error)


def test_a_folder_of_reports_is_told_from_one_of_nothing(tmp_path):
    with pytest.raises(StoreError) as nothing:
        load_run(tmp_path)
    for run in ("a", "b"):
        (tmp_path / run / "step_1").mkdir(parents=True)
        (tmp_path / run / "step_1" / paths.SCORECARD).write_text("{}")
    assert paths.runs_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(StoreError) as runs:
        load_run(tmp_path)
    assert str(tmp_path / "a") in str(runs.value)
    assert str(tmp_path / "a") not in str(nothing.value)
