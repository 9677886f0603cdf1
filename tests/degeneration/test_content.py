import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.content import (
    code_until,
    is_alignment,
    is_comment,
    is_in_literal,
    is_layout,
    is_rule,
)

RULE = "-" * 60


def span(text: str, part: str) -> tuple[int, int]:
    start = text.index(part)
    return start, start + len(part)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"x = 1\n# {RULE}\ny = 2\n", True),
        (f"    # {RULE} #", True),
        (f"{RULE}\n", False),  # all there is
        (f'"""A title\n{RULE}\n"""', True),
        (f'"""A title\n{RULE}', False),  # still going on
        (f"# {RULE * 3}", False),  # wider than a line
        (f"x = {RULE}\n", False),
    ],
)
def test_rules_and_underlines_are_told_from_lines_of_signs(text, rule):
    part = RULE * 3 if RULE * 3 in text else RULE
    assert is_rule(text, *span(text, part)) is rule


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("TABLE = [" + "0, " * 60 + "]\n", True),
        ("    return [" + "0, " * 60 + "]\n", True),
        (" [" + "0, " * 60 + "]\n    return x\n", False),  # not a whole program, body or rest of a line
        (" return [" + "0, " * 60 + "]\n", True),
        ("    é = 'é'; x = {" + "0, " * 60 + "}\n", True),
        ("x = [" + "0, " * 60 + "]\nfor i in ran", True),  # the last line was cut
        ("x = [" + "0, " * 60, False),
        ("f(" + "0, " * 60 + ")\n", False),
        ("x = " + "0, " * 60 + "\n", False),  # a tuple without brackets
        ("x = (" + "0, " * 60 + ")\n", True),
        ("0, " * 60 + "\0", False),
    ],
)
def test_literals_that_ended_and_parse_are_found(text, inside):
    assert is_in_literal(text, *span(text, "0, " * 60)) is inside


EXHAUSTING = [
    "(" * 90_000,
    "-" * 90_000,
    "not " * 20_000,
    "a" + ".a" * 40_000,
    "1" + "+1" * 40_000,
    "lambda:" * 10_000,
    "[" * 45_000 + "]" * 45_000,
    "f(" * 30_000,
    "if x:\n " * 10_000,
    "\ud800" * 500,
    "[" * 200_000,
]


@pytest.mark.parametrize("text", EXHAUSTING, ids=range(len(EXHAUSTING)))
def test_what_exhausts_the_parser_is_no_literal(text):
    assert is_in_literal(text, 0, len(text)) is False


def test_a_warning_of_the_parser_stays_with_it():
    text = 'x = "\\d' + "-" * 60 + '"\ny = 1 is 1\n'
    assert is_in_literal(text, *span(text, RULE)) is True


@pytest.mark.parametrize(
    ("text", "aligned"),
    [
        ("f(a,\n" + " " * 60 + "b)", True),
        ("f(a,\n" + " " * 60, False),
        ("f(a,\n" + " " * 60 + "\n", False),
        ("f(a,\n" + " " * 60 + " " * 100 + "b", False),
    ],
)
def test_blanks_before_something_are_alignment(text, aligned):
    blanks = text[5:].rstrip("b)\n")
    assert is_alignment(text, 5, 5 + len(blanks)) is aligned


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("x = 1\ny = 2\n", 12),
        ("    x = 1\n    return x\n", 23),  # the lines of a body
        (" return x\n", 10),  # the rest of a prompt's last line
        ("if x:\n", 6),  # cut before the body
        ("f(a,\n  b,\n", 10),  # cut within a call
        ('x = ["a",\n     "b', 10),  # cut within a word, whose line is left out
        ('x = 1\ny = """text ) ( text\n', 10),  # what an open string says is anything
        ("f(a b c\n", 0),
        ("x = 1\n):):):\ny = 2\n", 0),
        ("", 0),
        ("(" * 90_000, 0),
    ],
)
def test_the_beginning_of_a_program_is_told_from_what_is_none(text, until):
    assert code_until(text) == until


@pytest.mark.parametrize(
    ("text", "comment"),
    [("# a b\n# a c\n", True), ("x = 1  # a b\n", False), ("# a\nx = 1\ny = 2\n", False)],
)
def test_comments_are_told_from_code(text, comment):
    assert is_comment(text, 0, len(text)) is comment


@pytest.mark.parametrize(
    ("text", "copy", "layout"),
    [
        ("        f(x,\n          y)\n" * 9, " ", True),
        ("=====  =====\nname   value\n" * 9, "=", True),
        ("x" + " " * 300, " ", False),
        (" " * 60 + "x\n" + " " * 60 + "y\n", " ", False),
        ("=" * 200, "=", False),
        ("return return\n" * 9, "return ", False),
    ],
)
def test_layout_is_told_from_blanks_and_signs_that_go_on(text, copy, layout):
    assert is_layout(text, 0, len(text), copy) is layout


def test_a_list_of_examples_in_a_docstring_that_lost_its_indentation_is_content():
    examples = "".join(f"    for is_prime({n}) == {n in {2, 3, 5, 7, 11, 13, 17, 19}}\n" for n in range(2, 21))
    body = '"""Say whether a number is prime.\n\n' + examples + '    """\n    return all(n % i for i in range(2, n))\n'
    assert not analyse(body + "\ndef x_or_y(n, x, y):\n    return x if is_prime(n) else y\n").degenerate


def test_deep_alignment_with_code_after_it_is_layout_and_blanks_that_go_on_to_the_end_are_none():
    names = [f"value_{n}" for n in range(12)]
    aligned = "x = f(" + "".join(f"{name},\n{' ' * 70}" for name in names)
    code = "y = g(a, b)\n" * 80
    blanks = aligned.index("\n"), len(aligned)
    assert is_layout(f"{aligned}last)\n{code}", *blanks, copy=" ")
    assert not is_layout(aligned, *blanks, copy=" ")
    assert not is_layout(f"{aligned}last)\n", *blanks, copy=" ")
