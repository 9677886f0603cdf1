"""A GPT whose head is its embedding."""

from small_gpt import GPT


def build(vocabulary, tied=True):
    made = GPT(vocabulary)
    if tied:
        made.head.weight = made.tokens.weight
    return made
