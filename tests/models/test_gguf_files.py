"""GGUF files, written from a tiny Llama by the package's own writer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_gguf import byte_characters, write_gguf

from evalharness.errors import CheckpointError
from evalharness.models.torch import load_checkpoint, locate
from evalharness.models.torch.tokenizers import KnownTokenizer
from evalharness.settings.manifest import find_manifest

gguf = pytest.importorskip("gguf")


@pytest.mark.parametrize("quantised", ["Q8_0", "F16"])
def test_a_file_gives_the_logits_of_its_weights_and_its_own_tokenizer(tmp_path, quantised, golden_text):
    path = tmp_path / "tiny.gguf"
    expected = write_gguf(path, quantised)
    checkpoint = load_checkpoint(path, find_manifest(path))
    text = "def f(x):"
    ids = checkpoint.tokenizer.encode(text)
    assert checkpoint.tokenizer.decode(ids[:1]) == "def"
    assert checkpoint.tokenizer.decode(ids) == text
    inputs = torch.tensor([ids])
    with torch.no_grad():
        assert torch.allclose(checkpoint.model.logits(inputs), expected(inputs).logits, atol=1e-4)
    golden_text(f"{checkpoint.info.kind}: {checkpoint.info.quantisation}")
    assert checkpoint.dtype == "float32"
    assert checkpoint.context_length == 64
    assert checkpoint.end_token_ids == {len(byte_characters()) + 2}
    assert checkpoint.files == (path.resolve(),)


def test_a_folder_with_one_file_means_that_file(tmp_path, golden_text):
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    located = locate(tmp_path, find_manifest(tmp_path))
    assert (located.kind, located.path, located.step) == ("gguf", tmp_path / "tiny.gguf", None)
    (tmp_path / "tiny-Q4_0.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError) as caught:
        locate(tmp_path, find_manifest(tmp_path))
    golden_text(caught)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, find_manifest(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_broken_or_one_of_several_parts_is_one_line(tmp_path, golden_text):
    broken, part = tmp_path / "broken.gguf", tmp_path / "large-00001-of-00003.gguf"
    write_gguf(broken, "F16")
    broken.write_bytes(broken.read_bytes()[:3000])
    assert refused(broken).startswith(str(broken))
    broken.write_bytes(b"no GGUF at all")
    assert refused(broken).startswith(str(broken))
    part.write_bytes(b"GGUF")
    golden_text(refused(part))


def test_without_the_package_one_line_says_how_to_install_it(tmp_path, monkeypatch, golden_text):
    from importlib import util

    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF")
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "gguf" else find(name, *rest))
    golden_text(refused(path))


def test_another_checkpoint_may_take_its_tokenizer_from_a_file(tmp_path):
    from evalharness.models.torch.factory import UserCode
    from evalharness.models.torch.tokenizer_lookup import find_tokenizer

    write_gguf(tmp_path / "tiny.gguf", "F16")
    (tmp_path / "evalharness.toml").write_text('[model]\ntokenizer = "tiny.gguf"\n')
    manifest = find_manifest(tmp_path)
    tokenizer: KnownTokenizer = find_tokenizer(manifest, UserCode(tmp_path), [], trust=False)[0]
    assert tokenizer.decode(tokenizer.encode("def")) == "def"
    assert len(tokenizer.encode("def")) == 1
