"""A small GPT as it is served: with a head of its own, or with its embedding for a head."""

from small_gpt import GPT


def build(vocabulary, tied=False):
    made = GPT(vocabulary)
    if tied:
        made.head.weight = made.tokens.weight
    return made
