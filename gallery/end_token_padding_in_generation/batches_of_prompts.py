"""How prompts of different lengths are written for: filled up on the left to one length."""

from torch.nn import functional

LENGTH = 96


def generate(model, ids, max_new_tokens):
    padding = max(0, LENGTH - ids.shape[1])
    batch = functional.pad(ids, (padding, 0), value=model.config.pad_token_id)
    return model.generate(batch, max_new_tokens=max_new_tokens, do_sample=False)[:, padding:]
