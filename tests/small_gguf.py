"""A tiny Llama as a GGUF file, by the package's own writer, and what its weights are once they are packed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

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


def tiny_llama(rows: int, context: int):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS_OF_KEYS,
        max_position_embeddings=context,
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).eval()
    # A writer of plain text: bytes that are no character by themselves get next to no probability.
    tokens = byte_characters()
    plain = torch.tensor([len(token) == 1 and " " < token <= "~" for token in tokens] + [False] * (rows - len(tokens)))
    with torch.no_grad():
        head = model.lm_head.weight
        head.mul_(plain[:, None] * 4 / head.std() / config.hidden_size**0.5)
    return model


def in_gguf_order(name: str, weight):
    """Llama.cpp turns the two halves of each head of queries and keys into neighbours."""
    heads = HEADS if ".q_proj" in name else HEADS_OF_KEYS if ".k_proj" in name else 0
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape) if heads else weight


def gguf_name(name: str) -> str:
    layer, _, rest = name.removeprefix("model.layers.").partition(".")
    part = (rest if name.startswith("model.layers.") else name).removesuffix(".weight")
    prefix = f"blk.{layer}." if name.startswith("model.layers.") else ""
    return f"{prefix}{NAMES[part]}.weight"


def write_gguf(path: Path, quantised: str, context: int = 64) -> torch.nn.Module:
    """Write a file whose matrices are quantised, and return the model with the weights that are really in it."""
    tokens = [*byte_characters(), "de", "def", END]
    model = tiny_llama(len(tokens), context)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context)
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
