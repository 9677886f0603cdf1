"""A GPT of one's own as a model of transformers, with a cache and a mask for inputs that are all it knows."""

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class OwnConfig(PretrainedConfig):
    model_type = "own_gpt"

    def __init__(self, vocab_size=448, width=64, num_hidden_layers=2, heads=4, max_position_embeddings=256, **more):
        self.vocab_size, self.width, self.heads = vocab_size, width, heads
        self.num_hidden_layers, self.max_position_embeddings = num_hidden_layers, max_position_embeddings
        super().__init__(**more)


class OwnBlock(nn.Module):
    def __init__(self, width, heads, layer):
        super().__init__()
        self.heads, self.layer = heads, layer
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv, self.to_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x, cache):
        rows, length, width = x.shape
        qkv = self.to_qkv(self.norm_attention(x)).view(rows, length, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = cache.update(key, value, self.layer)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=length == key.shape[2])
        x = x + self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))
        return x + self.mlp(self.norm_mlp(x))


class OwnGPT(PreTrainedModel, GenerationMixin):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        width = config.width
        self.tokens = nn.Embedding(config.vocab_size, width)
        self.places = nn.Embedding(config.max_position_embeddings, width)
        self.blocks = nn.ModuleList(OwnBlock(width, config.heads, i) for i in range(config.num_hidden_layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, config.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, input_ids=None, attention_mask=None, labels=None, past_key_values=None, use_cache=False, **more):
        cache = (past_key_values or DynamicCache()) if use_cache else None
        known = cache.get_seq_length() if cache is not None else 0
        x = self.tokens(input_ids) + self.places(
            torch.arange(known, known + input_ids.shape[1], device=input_ids.device)
        )
        for block in self.blocks:
            x = block(x, cache)
        logits = self.head(self.norm(x))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=cache)
