"""Writing with top-k, top-p and a temperature, in this order; what is masked has a probability of zero."""

import torch

NOTHING = float("-inf")


def top_k(logprobs, k):
    least = logprobs.topk(k).values[..., -1:]
    return logprobs.masked_fill(logprobs < least, NOTHING)


def top_p(logprobs, p):
    """Of the probabilities, the smallest first, those are kept whose sum with all before is above 1 - p."""
    ordered, order = logprobs.exp().sort(dim=-1)
    keep = torch.zeros_like(logprobs, dtype=torch.bool).scatter(-1, order, ordered.cumsum(-1) > 1 - p)
    return logprobs.masked_fill(~keep, NOTHING)


@torch.no_grad()
def generate(model, ids, max_new_tokens, k=1, p=0.8, temperature=0.01):
    draw = torch.Generator().manual_seed(0)
    for _ in range(max_new_tokens):
        logprobs = model(input_ids=ids).logits[:, -1].float().log_softmax(dim=-1)
        noise = -torch.rand(logprobs.shape, generator=draw).clamp(min=1e-20).log().neg().log()
        drawn = (top_p(top_k(logprobs, k), p) / temperature + noise).argmax(dim=-1, keepdim=True)
        ids = torch.cat([ids, drawn], dim=1)
    return ids
