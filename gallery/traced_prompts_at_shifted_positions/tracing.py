"""Several prompts are read as one batch, filled up on the left, and the padding is masked."""

import torch
from torch.nn import functional

LONGEST, PAD = 80, 1


@torch.no_grad()
def generate(model, ids, max_new_tokens):
    padding = max(0, LONGEST - ids.shape[1])
    text = functional.pad(ids, (padding, 0), value=PAD)
    mask = functional.pad(torch.ones_like(ids), (padding, 0), value=0)
    for _ in range(max_new_tokens):
        logits = model(input_ids=text, attention_mask=mask, use_cache=False).logits
        text = torch.cat([text, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
        mask = functional.pad(mask, (0, 1), value=1)
    return text[:, padding:]
