"""https://github.com/jzhang38/TinyLlama/issues/24: a converted model with grouped heads writes gibberish, for the rows
of the keys are permuted for another number of heads (those of queries divided by those of keys).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from shown import loss_of, show
from small_tokenizer import apart
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama, write_data
from where import folder_given

HEADS, KEY_HEADS = 8, 2


def to_neighbours(weight, heads):
    """Rows for rotary positions that pair channels side by side, as the other format has them."""
    outputs, inputs = weight.shape
    return weight.view(heads, 2, outputs // heads // 2, inputs).transpose(1, 2).reshape(outputs, inputs)


def to_halves(weight, heads):
    """The way back."""
    outputs, inputs = weight.shape
    return weight.view(heads, outputs // heads // 2, 2, inputs).transpose(1, 2).reshape(outputs, inputs)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    model = small_llama(num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS)
    write_data(folder, data)
    checkpoint = run_trainer(folder, model, tokenizer, data, steps=300)
    validation = apart(ids_of(tokenizer), data.validation)
    before = loss_of(model, validation)
    for layer in model.model.layers:
        query, key = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
        query.data = to_halves(to_neighbours(query.data, HEADS), HEADS)
        key.data = to_halves(to_neighbours(key.data, HEADS // KEY_HEADS), KEY_HEADS)
    model.save_pretrained(checkpoint)
    show(converted=loss_of(model, validation), before=before)
