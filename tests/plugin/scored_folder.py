"""Two small models, of which one writes nothing but newlines, and how they are scored quickly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from small_folder import MANIFEST, MODEL

NEWLINE = 95
PROBLEMS = [
    {
        "task_id": f"own/{i}",
        "prompt": f'def add_{i}(a):\n    """Return a + {i}."""\n',
        "entry_point": f"add_{i}",
        "canonical_solution": f"    return a + {i}\n",
        "test": f"def check(f):\n    assert f(1) == {i + 1}\n",
    }
    for i in range(20)
]
"""As many as it takes to rule a collapse out: of 20 completions without a loop up to 16 % may have one."""

SETTINGS = {"problems": "own.jsonl", "samples": "1", "max_new_tokens": "24"}


@dataclass(frozen=True)
class Project:
    """A folder as a user has one; ``sound`` and ``collapsed`` are checkpoints in it."""

    folder: Path
    samples: str = SETTINGS["samples"]

    @property
    def sound(self) -> Path:
        return self.folder / "sound"

    @property
    def collapsed(self) -> Path:
        return self.folder / "collapsed"

    @property
    def options(self) -> list[str]:
        """For a command that is started in the folder."""
        settings = {**SETTINGS, "samples": self.samples}
        return [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", value)]

    @property
    def ini(self) -> str:
        """For pytest in another folder."""
        values = {**SETTINGS, "problems": str(self.folder / "own.jsonl"), "out": str(self.folder / "reports")}
        lines = [f"evalharness_{name} = {value}" for name, value in values.items()]
        return "\n".join(["[pytest]", "evalharness_trust = true", *lines, ""])


def make_project(folder: Path) -> Project:
    import torch

    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    scope: dict = {}
    exec(compile(MODEL, "my_model.py", "exec"), scope)
    rows = [{"prompt": p["prompt"], "completion": p["canonical_solution"]} for p in PROBLEMS[:3]]
    for name in ("sound", "collapsed"):
        own = folder / name
        own.mkdir()
        (own / "my_model.py").write_text(MODEL)
        (own / "evalharness.toml").write_text(MANIFEST)
        (own / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (own / "train.log").write_text("  [EVAL] Step 20 | Val Loss: 4.4\n")
        torch.manual_seed(0)
        state = scope["build"]().state_dict()
        if name == "collapsed":
            state["head.bias"][NEWLINE] += 20
        torch.save(state, own / "model.pt")
    return Project(folder)
