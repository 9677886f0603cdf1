"""What ``diagnose --write-repair`` writes is loaded again, and gives the logged loss."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from plants_repairs import few
from small_folder import PROBLEMS
from small_sound import of, sound
from small_training import Characters, data_rows
from torch.nn import functional
from whole import log_of

from evalharness.models.torch import load_checkpoint
from evalharness.pipeline import diagnose, write_repair
from evalharness.settings.manifest import find_manifest

LOST = 1e6
"""What an export wrote in the place of the RoPE base that the model was trained with, 10,000."""


def characters_file():
    """The characters of the small models as a file, each with its id."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    own = Characters()
    vocabulary = {own.decode([i]): i for i in range(own.vocab_size)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<end>", "<pad>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run as the Trainer leaves it, but for one key of its configuration."""
    made = few(of(sound("llama")))
    checkpoint = tmp_path / "run" / "checkpoint-100"
    made.model.module.save_pretrained(checkpoint)
    characters_file().save_pretrained(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": LOST}
    (checkpoint / "config.json").write_text(json.dumps(config))
    history = [{"step": point.step, "eval_loss": point.loss_nats} for point in log_of(made)["log"]]
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": 100, "log_history": history}))
    (checkpoint.parent / "evalharness.toml").write_text('[data]\nvalidation = "val.jsonl"\n')
    rows = data_rows(200, 2)[: len(made.validation.rows)]
    lines = [json.dumps({"prompt": row.prompt, "completion": row.completion}) for row in rows]
    (checkpoint.parent / "val.jsonl").write_text("\n".join(lines))
    (tmp_path / "own.jsonl").write_text("\n".join(json.dumps(problem) for problem in PROBLEMS))
    return checkpoint


def completion_loss(checkpoint: Path) -> float:
    """The loss of the completions, end token and all, of the checkpoint as it is loaded from its folder."""
    model, losses = load_checkpoint(checkpoint, find_manifest(checkpoint)).model, []
    for row in few(of(sound("llama"))).validation.encoded:
        ids = torch.tensor([row.ids])
        of_row = functional.cross_entropy(model.logits(ids[:, :-1])[0], ids[0, 1:], reduction="none")
        losses.append(of_row[max(row.first_target, row.prompt_tokens) - 1 :])
    return float(torch.cat(losses).mean())


def test_a_written_repair_is_loaded_again_and_gives_the_logged_loss(folder: Path, tmp_path: Path):
    asked = {"problems": [str(tmp_path / "own.jsonl")], "max_new_tokens": 16, "out": tmp_path / "reports"}
    found = diagnose(folder, asked)
    first = found.diagnosis.findings[0]
    assert (first.probe, first.evidence["kind"]) == ("repaired", "rope_theta"), asdict(first)
    written, _ = write_repair(folder, asked, found.diagnosis.findings)
    mended = tmp_path / "mended" / folder.name
    shutil.copytree(folder, mended)
    (mended / written.name).replace(mended / "config.json")
    logged = found.loss.logged_nats
    assert completion_loss(mended) == pytest.approx(logged, abs=1e-3)
    assert completion_loss(folder) > logged + 0.05
