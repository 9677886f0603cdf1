"""Folders of transformers whose weights are quantised by a method that needs packages of its own."""

from __future__ import annotations

import json
from importlib import util
from types import SimpleNamespace

import pytest

from evalharness.errors import CheckpointError
from evalharness.models.torch import load_checkpoint
from evalharness.models.torch.quantised_folder import Quantisation, quantisation_of_folder
from evalharness.settings.manifest import find_manifest


@pytest.fixture
def none_installed(monkeypatch):
    """No package for quantised weights is installed, whatever this machine has."""
    find = util.find_spec
    absent = {"optimum", "gptqmodel", "bitsandbytes", "compressed_tensors"}
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name in absent else find(name, *rest))


CONFIGURED = {
    "GPTQ": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "AWQ": {"quant_method": "awq", "bits": 4, "version": "gemm"},
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False},
    "bitsandbytes without its name": {"load_in_8bit": True},
    "compressed-tensors": {"quant_method": "compressed-tensors", "format": "int-quantized"},
}


@pytest.mark.parametrize("case", CONFIGURED)
def test_a_quantised_folder_says_in_one_line_what_it_is_and_what_it_needs(llama, case, none_installed, golden_text):
    config = llama / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": CONFIGURED[case]}))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(llama, find_manifest(llama))
    assert "\n" not in str(caught.value)
    golden_text(caught)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("quantize_config.json", {"bits": 4}, "GPTQ, 4 bits"), ("quant_config.json", {"w_bit": 4}, "AWQ, 4 bits")],
)
def test_older_tools_wrote_the_quantisation_beside_the_configuration(tmp_path, name, content, expected, monkeypatch):
    monkeypatch.setattr(Quantisation, "missing_packages", lambda _: [])
    (tmp_path / name).write_text(json.dumps(content))
    assert str(quantisation_of_folder(tmp_path, SimpleNamespace())) == expected


def test_a_method_that_can_not_be_loaded_here_is_named_too(llama, monkeypatch, golden_text):
    monkeypatch.setattr(Quantisation, "missing_packages", lambda _: [])
    config = llama / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": CONFIGURED["GPTQ"]}))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(llama, find_manifest(llama))
    assert "\n" not in str(caught.value)
    golden_text(str(caught.value).partition(": ")[2].partition(")")[0])


def test_a_folder_that_is_not_quantised_has_no_quantisation(llama):
    assert load_checkpoint(llama, find_manifest(llama)).info.quantisation is None
