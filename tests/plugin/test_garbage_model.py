"""A real module that writes dots and commas to every problem passes neither the gate nor the plugin."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from conftest import run_gate
from plugin_sessions import run
from scored_folder import Project, make_project
from small_folder import MODEL

GARBAGE = ".................,.,.,."
WRITES_GARBAGE = f'''
class Model(nn.Module):
    """Writes dots and commas in the order of GARBAGE after a line end; sampled, in a random order."""

    def __init__(self, vocabulary, context_length=256):
        super().__init__()
        self.context_length = context_length
        self.signs = nn.Parameter(torch.tensor([{", ".join(str(ord(sign) - 32) for sign in GARBAGE)}]).float())

    def forward(self, ids):
        places = torch.arange(ids.shape[1]).expand_as(ids)
        ends = torch.where(ids == 95, places, -1).cummax(1).values
        signs = self.signs[(places - ends).remainder(len(self.signs))].long()
        logits = torch.full((*ids.shape, 96), -20.0)
        logits[..., [ord(".") - 32, ord(",") - 32]] = 1.0
        return logits.scatter(2, signs[..., None], 2.0)


'''

pytestmark = pytest.mark.xdist_group("garbage model")


@pytest.fixture(scope="module")
def garbage(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("garbage"))
    code = re.sub(r"class Model\(.*?(?=class Characters)", lambda _: WRITES_GARBAGE, MODEL, flags=re.DOTALL)
    (made.sound / "my_model.py").write_text(code)
    scope: dict = {}
    exec(compile(code, "my_model.py", "exec"), scope)
    torch.save(scope["build"]().state_dict(), made.sound / "model.pt")
    return made


def outcomes(printed: str) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in json.loads(printed)["checks"]}


def test_the_gate_fails(garbage: Project) -> None:
    done = run_gate(
        garbage, "sound", "--no-collapse", "--require", "healthy", "--max-greedy-loop-rate", "0.5", "--json"
    )
    assert done.returncode == 1, done.stderr
    assert outcomes(done.stdout) == dict.fromkeys(("no_mode_collapse", "healthy", "max_greedy_loop_rate"), "failed")
    assert json.loads(done.stdout)["verdict"] == "collapsed"
    rows = (garbage.folder / "reports/sound/final").glob("completions/*greedy*")
    texts = {json.loads(line)["completion"] for path in rows for line in path.read_text().splitlines()}
    assert {text[: len(GARBAGE)] for text in texts} == {GARBAGE}, "the model writes what this test is about"


def test_the_gate_fails_if_there_are_only_greedy_completions(garbage: Project) -> None:
    greedy_alone = replace(garbage, samples="0")
    done = run_gate(greedy_alone, "sound", "--no-collapse", "--require", "healthy", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["verdict"] == "degenerating"
    assert outcomes(done.stdout) == {"no_mode_collapse": "failed", "healthy": "failed"}


def test_the_plugin_fails(garbage: Project, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("pytest.ini").write_text(garbage.ini)
    result = run(pytester, "--evalharness-checks=no_mode_collapse", checkpoint=garbage.sound)
    result.assert_outcomes(failed=1)
