"""No probe of the model itself names a cause in a model that is sound, however unusual it is."""

import copy
from dataclasses import replace

import pytest
import torch
from leak_models import causal, sliding_window
from plants_model import adapted, cached, of, overflowing, sound, with_backend
from small_training import CONTEXT, END, PAD, VOCABULARY, Plain, subject
from torch import nn

from evalharness.checkpoints.huggingface import CachedModel, call_without_cache
from evalharness.diagnosis.catalogue import CATALOGUE
from evalharness.diagnosis.examination import examine

MODEL_PROBES = [
    "future_leak", "last_position", "adapter", "stochastic_forward", "batch_invariance", "cache_mismatch",
    "vocabulary", "not_finite",
]  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(VOCABULARY, 32), nn.GRU(32, 32, batch_first=True)
        self.head = nn.Linear(32, VOCABULARY)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])


def seeded(make):
    torch.manual_seed(0)
    return make().eval().requires_grad_(False)


def zero_started():
    module = Plain()
    for parameter in (
        module.head.weight,
        module.head.bias,
        *(p for x in module.layers for p in x.out_proj.parameters()),
    ):
        nn.init.zeros_(parameter)
    return module


def tied():
    module = Plain()
    module.head.weight = module.embedding.weight
    return module


def with_dropout():
    module = Plain()
    for layer in module.layers:
        layer.mlp.append(nn.Dropout(0.3))
    return module


def prefers_the_end():
    module = Plain()
    module.head.bias.data[END] = 30.0
    return module


def of_transformers(name, cache=True, dtype=torch.float32, **more):
    import transformers

    settings = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "pad_token_id": PAD, "bos_token_id": None,
        "eos_token_id": END, **more,
    }  # fmt: skip
    config = getattr(transformers, f"{name}Config")(**settings)
    module = seeded(lambda: getattr(transformers, f"{name}ForCausalLM")(config)).to(dtype)
    made = subject(module)
    if cache:
        model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
        made = replace(made, model=model)
    return made


def gpt2():
    import transformers

    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, bos_token_id=None, eos_token_id=END
    )
    module = seeded(lambda: transformers.GPT2LMHeadModel(config))
    model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
    return replace(subject(module), model=model)


SOUND = {
    "barely trained or untrained": lambda: subject(seeded(Plain)),
    "untrained, its projections zero": lambda: subject(seeded(zero_started)),
    "tied embeddings": lambda: subject(seeded(tied)),
    "dropout declared": lambda: subject(seeded(with_dropout)),
    "a sliding window": lambda: subject(seeded(lambda: Plain(sliding_window))),
    "a mask of large finite numbers": lambda: subject(
        seeded(lambda: Plain(lambda n: torch.zeros(n, n).masked_fill(~causal(n), -1e9)))
    ),
    "recurrence": lambda: subject(seeded(Recurrent)),
    "bfloat16": lambda: of(sound("plain").bfloat16()),
    "bfloat16 with a cache": lambda: of_transformers("Llama", dtype=torch.bfloat16),
    "one that prefers a token": lambda: replace(subject(seeded(prefers_the_end)), begin_ids=(END,)),
    "a padded vocabulary": lambda: replace(of(sound("plain")), held_out_ids=(PAD,)),
    "trained, without a cache": lambda: of(sound("llama")),
    "trained, with a cache": lambda: cached("llama"),
    "a cache of one's own": lambda: cached("plain"),
    "a cache and a sliding window": lambda: of_transformers("Mistral", sliding_window=8, num_key_value_heads=2),
    "learned positions and a cache": gpt2,
    "mixture of experts": lambda: of_transformers(
        "Mixtral", num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2
    ),
    "mixture of experts in bfloat16": lambda: of_transformers(
        "Mixtral", dtype=torch.bfloat16, num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2
    ),
    "state space": lambda: of_transformers("Mamba", cache=False, state_size=8),
    "large sums in single precision": lambda: overflowing("llama", torch.float32),
    "attention step by step": lambda: with_backend_subject("plain"),
    "attention step by step, llama": lambda: with_backend_subject("llama"),
    "an adapter": lambda: adapted("plain"),
    "an adapter, llama": lambda: adapted("llama"),
    "an adapter over a base that nobody kept": lambda: adapted("plain", original=False),
}


def with_backend_subject(family):
    return of(with_backend(family, "eager"))


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND.keys())
def test_no_probe_names_a_cause_in_a_sound_model(make):
    made = make()
    before = copy.deepcopy(made.model.module.state_dict())
    found = examine(made, [probe for probe in CATALOGUE if probe.name in MODEL_PROBES])
    assert found.causes == ()
    assert [finding for finding in found.findings if finding.severity == "contributing"] == []
    assert found.incomplete == ()
    assert "future_leak" in {cleared.probe for cleared in found.ruled_out}
    after = made.model.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "a probe changed the model"
