"""``diagnose --write-repair`` writes a new file beside the old one, and changes nothing that is there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from evalharness.pipeline import write_repair
from evalharness.records import Finding

OLD = {"model_type": "llama", "rope_theta": 10000.0, "architectures": ["LlamaForCausalLM"]}


def proven(**settings) -> list[Finding]:
    return [Finding("repaired", "cause", "", {"proven": True, "settings": settings}, "Set it.")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(OLD))
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_the_mended_configuration_has_the_proven_value_under_a_new_name_each_time(folder: Path):
    findings = proven(**{"rope_parameters.rope_theta": 500000.0, "rope_parameters.rope_type": "default"})
    written = [write_repair(folder, {}, findings)[0] for _ in range(2)]
    assert written == [folder / "config.repaired.json", folder / "config.repaired-2.json"]
    mended = json.loads(written[0].read_text())
    assert mended["rope_parameters"] == {"rope_theta": 500000.0, "rope_type": "default"}
    assert mended["rope_theta"] == 500000.0
    assert mended["architectures"] == OLD["architectures"]
    assert json.loads((folder / "config.json").read_text()) == OLD


def test_an_argument_of_a_factory_is_mended_in_a_copy_of_the_manifest(tmp_path: Path):
    text = '[model]\nfactory = "model.py:build"\nargs = { width = 64, rope_theta = 10000.0 }\n'
    (tmp_path / "evalharness.toml").write_text(text)
    (tmp_path / "step_100.pt").touch()
    new, _ = write_repair(tmp_path / "step_100.pt", {}, proven(rope_theta=500000.0))
    assert new == tmp_path / "evalharness.repaired.toml"
    assert tomllib.loads(new.read_text())["model"]["args"] == {"width": 64, "rope_theta": 500000.0}
    assert (tmp_path / "evalharness.toml").read_text() == text


@pytest.mark.parametrize("findings", [[], proven()], ids=["nothing proven", "no key says it"])
def test_without_a_key_to_set_nothing_is_written(folder: Path, findings):
    before = sorted(folder.iterdir())
    assert write_repair(folder, {}, findings)[0] is None
    assert sorted(folder.iterdir()) == before
