"""A GPT of characters, and the table of characters that its training script makes."""

import json
from pathlib import Path

from small_gpt import build

__all__ = ["build", "tokenizer"]


class Characters:
    def __init__(self, text):
        characters = list(set(text))
        self.id_of = {character: place for place, character in enumerate(characters)}
        self.character_of = dict(enumerate(characters))
        self.vocab_size = len(characters)

    def encode(self, text):
        return [self.id_of[character] for character in text if character in self.id_of]

    def decode(self, ids):
        return "".join(self.character_of[int(token_id)] for token_id in ids)


def tokenizer():
    lines = Path(__file__).with_name("train.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return Characters("".join(row["prompt"] + row["completion"] for row in rows))
