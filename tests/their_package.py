"""A package as somebody else would publish it, with one of each kind of extension, and one of each that is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYPROJECT = """
[build-system]
requires = []
build-backend = "build_wheel"
backend-path = ["."]

[project]
name = "their-package"
version = "1.0"

[project.entry-points."evalharness.logs"]
theirs = "their_package.log"
broken = "their_package.no_such_module"

[project.entry-points."evalharness.completions"]
theirs = "their_package.completions"
broken = "their_package.failing_reader"

[project.entry-points."evalharness.problems"]
theirs = "their_package.problems"
broken_set = "their_package.no_such_module"

[project.entry-points."evalharness.models"]
theirs = "their_package.model"
broken = "their_package:NOTHING"

[project.entry-points."evalharness.probes"]
theirs = "their_package.probe:PROBE"
broken = "their_package.no_such_module:PROBE"
"""

BACKEND = '''
"""A build backend of the package's own (PEP 517): it needs nothing that has to be installed first."""

import tomllib
import zipfile
from pathlib import Path


def build_wheel(folder, config_settings=None, metadata_directory=None):
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    info = f"{name}-{version}.dist-info"
    points = "".join(
        f"[{group}]\\n" + "".join(f"{key} = {value}\\n" for key, value in members.items())
        for group, members in project["entry-points"].items()
    )
    files = {str(path): path.read_text() for path in sorted(Path(name).rglob("*.py"))}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {version}\\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{info}/entry_points.txt"] = points
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
'''

MODULES = {
    "__init__": """
import os
from pathlib import Path

if os.environ.get("THEIR_MARK"):
    Path(os.environ["THEIR_MARK"]).touch()  # so that a test sees when this package is imported
""",
    "log": """
from evalharness.records import LossPoint

FORM = "their log"


def recognises(head):
    return head[0] == "THEIR LOG"


def read(log):
    for number, line in enumerate(log.lines(), 1):
        if line.startswith("after "):
            _, step, _, loss = line.split()
            yield LossPoint(int(step), "train", float(loss), f"{log.name}:{number}")
""",
    "completions": """
from evalharness.completion_files import FileCompletion

FORM = "their tool"


def recognises(content):
    return isinstance(content, dict) and "their_text" in content


def read(entry, memory):
    yield FileCompletion(entry.content["about"], entry.content["their_text"], entry.number)
""",
    "failing_reader": """
FORM = "a reader with a fault"


def recognises(content):
    raise ZeroDivisionError("of all things")


def read(entry, memory):
    return []
""",
    "problems": """
from evalharness.records import Problem

NAME = "theirs"


def load(paths):
    test = "def check(f):\\n    assert f(2, 3) == 5\\n    assert f(1, 1) == 2\\n"
    return (Problem("theirs/0", "def add(a, b):\\n", "add", "    return a + b\\n", test, ("\\ndef",)),)
""",
    "model": """
import torch

from evalharness.models.torch import Checkpoint
from evalharness.models.torch.model import live_model
from evalharness.records import CheckpointInfo


class Letters:
    vocab_size = 97

    def encode(self, text):
        return [96 if c == "\\n" else ord(c) - 32 for c in text]

    def decode(self, ids):
        return "".join("\\n" if i == 96 else chr(i + 32) for i in ids)


def recognises(path):
    return path.suffix == ".theirs"


def load(path, *, step, device, dtype):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Embedding(97, 8), torch.nn.Linear(8, 97)).eval().requires_grad_(False)
    return Checkpoint(
        model=live_model(module, 128),
        tokenizer=Letters(),
        info=CheckpointInfo(str(path), "f" * 64, None, 873, "their kind of model"),
        module=module,
        begin_token_ids=(),
        end_token_ids=frozenset(),
        held_out_ids=(),
        prompt_template="{prompt}",
        context_length=128,
        device="cpu",
        dtype="float32",
        files=(path,),
    )
""",
    "probe": """
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding


def run(measured):
    return Finding("their_probe", "note", "Their probe was asked.", {"asked": 1}, "Nothing to do.")


PROBE = Probe(
    name="their_probe",
    question="Is a probe of another package asked?",
    run=run,
    order=1000,
    at_most="note",
    forward_passes=0,
)
""",
}


def install(above: Path) -> Path:
    """Install the package with pip, and return the folder that has to be on the path."""
    source, site = above / "source", above / "site"
    (source / "their_package").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "build_wheel.py").write_text(BACKEND)
    for name, text in MODULES.items():
        (source / "their_package" / f"{name}.py").write_text(text.lstrip())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", site, source], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return site
