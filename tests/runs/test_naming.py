"""What run folders are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.runs.naming import run_name, without_suffix

NAMES = {
    "a/model.pt": "a",
    "b/model.pt": "b",
    "nanoGPT/out/ckpt.pt": "nanoGPT",
    "nanoGPT/out-shakespeare-char/ckpt.pt": "out-shakespeare-char",
    "tuned/pytorch_model.bin": "tuned",
    "tuned/model.safetensors.index.json": "tuned",
    "tuned/adapter_model.safetensors": "tuned",
    "llama/consolidated.00.pth": "llama",
    "tuned/checkpoints/checkpoint-500/model-00001-of-00002.safetensors": "tuned",
    "tuned/best.pt": "tuned",
    "tuned/model_final.pt": "tuned",
    "logs/version_0/checkpoints/epoch=3-step=500.ckpt": "version_0",
    "work/lora_v2.pt": "lora_v2",
    "work/T0.0_A.pt": "T0.0_A",
    "work/1": "1",
}


@pytest.mark.parametrize("path", NAMES)
def test_the_folder_above_gives_the_name_if_the_files_own_says_nothing(tmp_path: Path, path: str):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert run_name(file) == NAMES[path]


def test_a_folder_keeps_the_dots_of_its_name(tmp_path: Path):
    folder = tmp_path / "qwen2.5.pt"
    folder.mkdir()
    assert run_name(folder) == "qwen2.5.pt"


def test_a_name_that_nothing_above_it_can_replace_stays():
    assert run_name(Path("/model.pt")) == "model"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("T0.0_A.jsonl", "T0.0_A"),
        ("T0.0_B.jsonl.gz", "T0.0_B"),
        ("generations_mbpp.json", "generations_mbpp"),
    ],
)
def test_a_file_of_completions_is_called_as_it_is_without_its_form(name: str, stem: str):
    assert without_suffix(Path(name)) == stem
