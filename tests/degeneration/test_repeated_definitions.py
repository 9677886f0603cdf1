import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.repeated_definitions import find_redefined

PROMPT = 'def unique(items: list):\n    """Return what is in the list, once each."""\n'
BODIES = [
    "    return sorted(set(items))\n\n\n",
    "    seen = []\n    for i in items:\n        if i not in seen:\n            seen.append(i)\n    return seen\n\n\n",
    "    return list(dict.fromkeys(items))\n\n\n",
    "    if not items:\n        return []\n    return [items[0], *unique(items[1:])]\n\n\n",
    "    return [a for i, a in enumerate(items) if a not in items[:i]]\n\n\n",
]


def defined(names: list[str]) -> str:
    """Functions with other bodies each, the last one torn."""
    return "".join(f"def {name}(items):\n{body}" for name, body in zip(names, BODIES * 2, strict=False))[:-12]


AGAIN = {
    "one name": ["unique"] * 5,
    "a name that grows": ["unique", "unique_a", "unique_a_b", "unique_a_b_c", "unique_a_b_c_d"],
    "names that count": [f"solve_{i}" for i in range(1, 8)],
}  # fmt: skip
SOUND = {
    "the answer twice": defined(["unique"] * 2),
    "other names": defined(["unique", "first", "last", "middle", "both"]),
    "tests that count": defined([f"test_{i}" for i in range(1, 8)]),
    "four helpers that count": defined([f"step_{i}" for i in range(1, 5)]),
    "a setter for each": "".join(f"@value.register\ndef _(item):\n    return item + {i * i}\n\n\n" for i in range(9)),
    "methods of classes": "".join(f"class {c}:\n    def name(self):\n        return {c!r}\n\n\n" for c in "AxkQzT"),
    "functions that count, all whole": defined([f"solve_{i}" for i in range(1, 8)]) + "items\n",
    "versions in fences": "".join(f"```python\ndef unique(items):\n{body}```\nOr:\n" for body in BODIES),
    "a program after them": defined(["unique"] * 5) + "".join(f"unique([{i**3}])\n" for i in range(99)),
}  # fmt: skip


@pytest.mark.parametrize("names", AGAIN.values(), ids=AGAIN)
def test_what_is_defined_again_until_the_cut_is_a_loop(names):
    found = analyse(PROMPT + defined(names), prompt=PROMPT, stop_reason="max_new_tokens")
    assert (found.degenerate, found.kind, found.ran_to_limit) == (True, "near", True)


@pytest.mark.parametrize("names", AGAIN.values(), ids=AGAIN)
def test_a_model_that_ended_by_itself_gave_several_answers(names):
    assert not analyse(defined(names), stop_reason="end_token").degenerate


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_a_program_has_several_definitions(text):
    assert find_redefined(text) is None


@pytest.mark.parametrize("text", ["", "def", "def f", "def f(x):\n    return 1\n", "def f(x): pass\n" * 2])
def test_few_definitions_are_none_again(text):
    assert find_redefined(text) is None
