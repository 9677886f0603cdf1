"""Which numbers weights run in if nobody names any: their own, but on a CPU float32 instead of half precision."""

from __future__ import annotations

import pytest
import torch

from evalharness.models.torch import load_checkpoint, placement
from evalharness.models.torch.free_memory import free_bytes, free_bytes_on
from evalharness.models.torch.placement import parse_dtype
from evalharness.settings.manifest import find_manifest

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "device", "own", "expected"),
    [
        ("auto", CPU, torch.bfloat16, torch.float32),
        ("auto", CPU, torch.float16, torch.float32),
        ("auto", CPU, None, torch.float32),
        ("auto", CPU, torch.float32, None),
        ("auto", CPU, torch.float64, None),
        ("auto", GPU, torch.bfloat16, None),
        ("bfloat16", CPU, torch.bfloat16, torch.bfloat16),
        ("float32", GPU, torch.bfloat16, torch.float32),
    ],
)
def test_half_precision_becomes_float32_on_a_cpu_alone(name, device, own, expected):
    assert parse_dtype(name, device).of(own, weight_bytes=8) == expected


def test_weights_stay_as_they_are_where_float32_has_no_room(monkeypatch):
    monkeypatch.setattr(placement, "free_bytes", lambda: 200)
    numbers = parse_dtype("auto", CPU)
    assert numbers.of(torch.bfloat16, weight_bytes=100) is None
    assert numbers.of(torch.bfloat16, weight_bytes=80) == torch.float32
    assert parse_dtype("float32", CPU).of(torch.bfloat16, weight_bytes=100) == torch.float32


@pytest.mark.parametrize("room", [True, False])
def test_what_a_half_precision_folder_runs_in_is_noted(llama, monkeypatch, room):
    from transformers import LlamaForCausalLM

    LlamaForCausalLM.from_pretrained(llama, dtype=torch.bfloat16).save_pretrained(llama)
    if not room:
        monkeypatch.setattr(placement, "free_bytes", lambda: 100)
    checkpoint = load_checkpoint(llama, find_manifest(llama))
    named = load_checkpoint(llama, find_manifest(llama), dtype=checkpoint.dtype)
    assert checkpoint.dtype == ("float32" if room else "bfloat16")
    assert [note for note in checkpoint.info.notes if note not in named.info.notes] != []
    assert checkpoint.info.fingerprint == named.info.fingerprint


def test_a_folder_that_names_no_dtype_is_run_in_float32(llama):
    (llama / "config.json").write_text((llama / "config.json").read_text().replace('"dtype"', '"other"'))
    assert load_checkpoint(llama, find_manifest(llama)).dtype == "float32"


def test_free_memory_is_the_least_of_machine_and_control_group(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert free_bytes(tmp_path / "meminfo", tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000\n")
    assert free_bytes(tmp_path / "meminfo", tmp_path) == 2000
    assert free_bytes(tmp_path / "none", tmp_path / "none") is None


def test_a_gpu_has_memory_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (7 + device.index, 100))
    assert free_bytes_on(torch.device("cuda:1")) == 8
    assert free_bytes_on(torch.device("mps")) is None
