"""GGUF files, written from a tiny Llama by the package's own writer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evalharness.errors import CheckpointError
from evalharness.models.torch import load_checkpoint, locate
from evalharness.models.torch.tokenizers import KnownTokenizer
from evalharness.settings.manifest import find_manifest

gguf = pytest.importorskip("gguf")

HEADS, HEADS_OF_KEYS = 4, 2
END = "<|endoftext|>"
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary."""
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def tiny_llama(rows: int):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS_OF_KEYS,
        max_position_embeddings=64,
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


def in_gguf_order(name: str, weight):
    """Llama.cpp turns the two halves of each head of queries and keys into neighbours."""
    heads = HEADS if ".q_proj" in name else HEADS_OF_KEYS if ".k_proj" in name else 0
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape) if heads else weight


def gguf_name(name: str) -> str:
    layer, _, rest = name.removeprefix("model.layers.").partition(".")
    part = (rest if name.startswith("model.layers.") else name).removesuffix(".weight")
    prefix = f"blk.{layer}." if name.startswith("model.layers.") else ""
    return f"{prefix}{NAMES[part]}.weight"


def write_gguf(path: Path, quantised: str) -> torch.nn.Module:
    """Write a file whose matrices are quantised, and return the model with the weights that are really in it."""
    tokens = [*byte_characters(), "de", "def", END]
    model = tiny_llama(len(tokens))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS_OF_KEYS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantised}"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (len(tokens) - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["d e", "de f"])
    writer.add_eos_token_id(len(tokens) - 1)
    kind = gguf.GGMLQuantizationType[quantised]
    for name, weight in model.state_dict().items():
        values = in_gguf_order(name, weight.numpy())
        if values.ndim == 1:
            writer.add_tensor(gguf_name(name), values)
            continue
        packed = gguf.quants.quantize(values, kind)
        writer.add_tensor(gguf_name(name), packed, raw_dtype=kind)
        unpacked = torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind))
        weight.copy_(unpacked.reshape(weight.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


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
