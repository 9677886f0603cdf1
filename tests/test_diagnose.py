"""``evalharness diagnose`` and ``preflight`` as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from forked_command import run_forked
from small_folder import ROOT, Run

FEW = ("--problems", "mine/own.jsonl", "--max-new-tokens", "40")

SCRIPT = """
import sys
import torch
from torch import nn
import evalharness

class Model(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.embed, self.mix, self.head = nn.Embedding(96, 32), nn.MultiheadAttention(32, 4), nn.Linear(32, 96)
        self.causal = causal

    def forward(self, ids):
        x = self.embed(ids).transpose(0, 1)
        mask = nn.Transformer.generate_square_subsequent_mask(len(x)) if self.causal else None
        return self.head(x + self.mix(x, x, x, attn_mask=mask)[0]).transpose(0, 1)

torch.manual_seed(0)
model = Model(causal=sys.argv[1] == "causal")
rows = torch.randint(0, 96, (8, 33))
evalharness.preflight(model, (rows[:, :-1], rows[:, 1:]))
optimizer = torch.optim.AdamW(model.parameters())
for step in range(3):
    loss = nn.functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    optimizer.zero_grad(); loss.backward(); optimizer.step()
print("trained")
"""


@pytest.mark.parametrize(("attention", "trains"), [("leaky", False), ("causal", True)])
def test_preflight_stops_a_script_whose_model_has_no_mask_and_lets_its_twin_train(tmp_path: Path, attention, trains):
    (tmp_path / "train.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "train.py", attention], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout == "trained\n") is trains
    assert ("PreflightError: future_leak" in done.stderr) is not trains


def test_a_diagnosis_prints_cause_losses_and_what_was_ruled_out_and_writes_no_report(run: Run, model_folder: Path):
    done = run("diagnose", "mine/model.pt", *FEW)
    assert done.returncode == 0, done.stderr
    labels = {line[:16].strip() for line in done.stdout.splitlines()} - {""}
    assert {"behaviour", "loss", "cause", "tested", "missing input"} <= labels
    assert "hypotheses ruled out: " in done.stdout
    assert not list((model_folder.parent / "reports").rglob("report.md"))


def test_a_diagnosis_as_json_holds_every_probe_of_the_catalogue_once_or_more(run: Run):
    from evalharness.diagnosis.catalogue import catalogue

    found = json.loads(run("diagnose", "mine/model.pt", *FEW, "--json").stdout)
    named = {o["probe"] for part in ("findings", "ruled_out", "not_testable") for o in found[part]}
    assert named == {probe.name for probe in catalogue()}


def test_a_probe_that_fails_inside_is_reported_the_others_go_on_and_the_exit_code_is_3(model_folder: Path):
    program = (
        "import sys, dataclasses\n"
        "from evalharness import __main__\n"
        "from evalharness.diagnosis import catalogue as probes\n"
        "def broken(measured): raise RuntimeError('boom')\n"
        "def row(probe): return dataclasses.replace(probe, run=broken) if probe.name == 'not_finite' else probe\n"
        "changed = tuple(map(row, probes.catalogue()))\n"
        "probes.catalogue = lambda asked_of='checkpoint': changed\n"
        "__main__.main(sys.argv[1:])\n"
    )
    arguments = [sys.executable, "-c", program, "diagnose", "mine/model.pt", *FEW, "--json"]
    done = subprocess.run(arguments, cwd=model_folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["incomplete"] == [{"stage": "diagnosis", "probe": "not_finite", "reason": "RuntimeError: boom"}]
    assert [item["kind"] for item in found["not_testable"] if item["probe"] == "not_finite"] == ["failed"]
    assert "vocabulary" in {item["probe"] for item in found["ruled_out"]}


def test_preflight_of_a_manifest_fails_for_the_leaky_model_and_passes_for_the_causal_one():
    for name, code in (("leaky", 1), ("causal", 0)):
        done = run_forked(["preflight", f"checkpoints/{name}", "--json"], cwd=ROOT)
        assert done.returncode == code, done.stderr
        assert [f["probe"] for f in json.loads(done.stdout)["findings"]] == ["future_leak"] * code


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('[data]\ntrain = "nothing.jsonl"\n', "can't be read as data rows: No such file"),
        ('[data]\ntrain = "odd.jsonl"\n', "has the keys question, answer"),
        ("", "[data] train is not named"),
    ],
)
def test_data_that_can_not_be_used_gets_one_clear_line(run: Run, model_folder: Path, change, says):
    (model_folder / "odd.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    manifest = model_folder / "evalharness.toml"
    text = manifest.read_text().replace('[data]\nvalidation = "val.jsonl"\n', change)
    manifest.write_text(text)
    done = run("preflight", "mine")
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]


def test_a_model_of_nan_is_diagnosed_as_such_and_the_diagnosis_is_incomplete(run: Run, model_folder: Path):
    import torch

    weights = torch.load(model_folder / "model.pt")
    torch.save({name: value * float("nan") for name, value in weights.items()}, model_folder / "model.pt")
    done = run("diagnose", "mine/model.pt", *FEW, "--json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert [f["probe"] for f in found["findings"] if f["severity"] == "cause"] == ["not_finite"]
    assert found["incomplete"][0]["stage"] == "generation"
