"""Batched greedy writing with a cache: prompts are filled up on the left, and the padding is masked."""

import torch
from torch.nn import functional
from transformers import DynamicCache

LENGTH, PAD = 96, 1


@torch.no_grad()
def generate(model, ids, max_new_tokens):
    padding = max(0, LENGTH - ids.shape[1])
    text = functional.pad(ids, (padding, 0), value=PAD)
    mask = functional.pad(torch.ones_like(ids), (padding, 0), value=0)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache, read = DynamicCache(), text
    for _ in range(max_new_tokens):
        made = model(input_ids=read, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
        read = made.logits[:, -1].argmax(dim=-1, keepdim=True)
        cache_position = torch.tensor([text.shape[1]])
        positions = cache_position.expand(len(ids), 1)
        text, mask = torch.cat([text, read], dim=1), functional.pad(mask, (0, 1), value=1)
    return text[:, padding:]
