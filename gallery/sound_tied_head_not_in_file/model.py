"""A GPT whose head is its embedding."""

from small_gpt import GPT


def build(vocabulary):
    made = GPT(vocabulary)
    made.head.weight = made.tokens.weight
    return made
