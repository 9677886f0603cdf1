"""``[model] generate``: the user's own function is found, called as it wants to be, and its ids are understood."""

import pytest
import torch

from evalharness.errors import CheckpointError, EvaluationError

WRITING = """

def next_id(model, ids):
    return model(ids)[:, -1:].argmax(-1)


def generate(model, ids, max_new_tokens):
    for _ in range(max_new_tokens):
        ids = torch.cat([ids, next_id(model, ids)], dim=1)
    return ids


def only_new(model, ids, n, temperature=1.0, top_k=None):
    assert top_k == 1
    return generate(model, ids, n)[0, ids.shape[1]:].tolist()


def sampled(model, ids, n, do_sample=True):
    assert do_sample is False
    return generate(model, ids, n)


def words(model, ids, n):
    return "def"


def fails(model, ids, n):
    raise ValueError("no such token")


TinyGPT.write = lambda self, ids, n: generate(self, ids, n)
"""


@pytest.fixture
def load(project, state):
    torch.save(state, project.folder / "m.pt")
    models = (project.folder / "models.py").read_text()
    project.write("models.py", models + WRITING)

    def loaded(spec):
        project.manifest(f'factory = "models.py:build"\ngenerate = "{spec}"')
        return project.load("m.pt")

    return loaded


@pytest.mark.parametrize("name", ["models.py:generate", "models.py:only_new", "models.py:sampled", "write"])
def test_it_writes_greedily_however_it_is_declared(load, name):
    checkpoint = load(name)
    written = checkpoint.own_generate((3, 4, 5), 6)
    ids = [3, 4, 5]
    for _ in range(6):
        ids.append(int(checkpoint.model.logits(torch.tensor([ids]))[0, -1].argmax()))
    assert written == tuple(ids[3:])


@pytest.mark.parametrize("name", ["models.py:words", "models.py:fails"])
def test_what_it_raises_or_returns_besides_ids_is_its_own_fault(load, name, golden_text):
    checkpoint = load(name)
    with pytest.raises(EvaluationError) as caught:
        checkpoint.own_generate((3, 4, 5), 6)
    golden_text(caught)


def test_a_method_that_the_model_lacks_is_named(load, golden_text):
    with pytest.raises(CheckpointError) as caught:
        load("writes")
    golden_text(caught)


def test_without_it_nothing_is_compared(project, state):
    torch.save(state, project.folder / "m.pt")
    assert project.load("m.pt").own_generate is None
