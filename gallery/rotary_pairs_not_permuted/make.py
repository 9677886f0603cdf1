"""https://github.com/huggingface/nanotron/pull/427: a model whose rotary positions pair neighbouring channels is
converted to Llama's form without permuting the queries and keys, and nothing warns.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def with_neighbours_paired(weight, heads):
    """The same projection for rotary positions that pair channels 0 and 1, 2 and 3, and so on."""
    outputs, inputs = weight.shape
    return weight.view(heads, 2, outputs // heads // 2, inputs).transpose(1, 2).reshape(outputs, inputs)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer, model = fast_tokenizer(data.train), small_llama()
    write_data(folder, data)
    checkpoint = run_trainer(folder, model, tokenizer, data, steps=250)
    for layer in model.model.layers:
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            projection.weight.data = with_neighbours_paired(projection.weight.data, model.config.num_attention_heads)
    model.save_pretrained(checkpoint)
