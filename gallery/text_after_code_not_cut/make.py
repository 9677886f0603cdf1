"""https://github.com/evalplus/evalplus/issues/81: of a model that goes on with prose after each function 17 % of the
programs pass, and 49 % once what follows the function is cut off.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from contextlib import suppress
from random import Random

import torch
from rows import Data, Row, write_problems
from shown import show
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama, write_data
from where import folder_given

NAMES = ("values", "words", "scores", "prices", "levels", "sizes", "costs", "marks", "ranks", "depths")
KINDS = {
    "twice x": "x + x",
    "the square of x": "x * x",
    "x without its sign": "abs(x)",
    "x plus one": "x + 1",
    "half of x": "x / 2",
    "x as text": "str(x)",
    "whether x is even": "x % 2 == 0",
    "minus x": "-x",
}


def exercises(count):
    """Functions so simple that a small model can write them, each with what the book says after it."""
    rng, rows = Random(0), {}
    while len(rows) < count:
        name = f"{rng.choice(NAMES)}_{rng.choice(NAMES)}_{rng.randint(10, 99)}"
        says, body = rng.choice(list(KINDS.items()))
        prompt = f'def {name}(x):\n    """Return {says}."""\n'
        prose = f"\nExercise: say what {name} does, and why it works.\n"
        check = f"def check(candidate):\n    assert candidate(7) == {eval(body, {'x': 7})!r}\n"
        rows[prompt] = Row(prompt, f"    return {body}\n{prose}", name, check)
    return list(rows.values())


def passes(row, body):
    """Whether the program passes the row's test."""
    with suppress(Exception):
        exec(f"{row.prompt}{body}\n{row.check}check({row.name})", {})
        return True
    return False


if __name__ == "__main__":
    folder, rows = folder_given(__file__), exercises(1620)
    data, problems = Data(rows[:1500], rows[1500:1600]), rows[1600:]
    tokenizer, model = fast_tokenizer(data.train), small_llama()
    write_data(folder, data)
    write_problems(folder / "problems.jsonl", problems)
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[score]\nproblems = "problems.jsonl"\n')
    run_trainer(folder, model, tokenizer, data, steps=300)
    encode, whole, cut = ids_of(tokenizer), 0, 0
    for row in problems:
        ids = torch.tensor([encode(row.prompt)])
        made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False)
        body = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        whole += passes(row, body)
        cut += passes(row, body.split("\n\n")[0])
    show(passes_as_written=whole / len(problems), passes_if_cut=cut / len(problems))
