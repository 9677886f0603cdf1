"""A GPT of four heads."""

from small_gpt import GPT


def build(vocabulary, heads=4):
    return GPT(vocabulary, heads=heads)
