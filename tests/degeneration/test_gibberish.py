import random
import re

import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.gibberish import find_gibberish, is_sign_salad, known_words

SALAD = (
    "KcodeEempmeientvarectetdar * _produ __ect ok    Compute mount letterssquwiildjoiner2nersful')mspacenotmit"
    " increment sedbjtigerDCheckdiviper sequrayvellevel, *msglardisplsi isfro %st Trueplus rhasfted"
)
PROSE = {
    "English": "This function adds all the numbers of the list. Where the list is empty the result is nought, and "
    "negative values count as well before the outcome is shown to whoever asked for it.",
    "German": "Diese Funktion berechnet die Summe aller Zahlen in der Liste. Wenn die Liste leer ist, wird null "
    "zurückgegeben. Beachten Sie, dass negative Werte ebenfalls berücksichtigt werden müssen, bevor es weitergeht.",
    "Spanish": "Esta función calcula la suma de todos los números de la lista. Si la lista está vacía, devuelve cero. "
    "Tenga en cuenta que los valores negativos también deben considerarse antes de mostrar el resultado.",
    "Chinese": "这个函数计算列表中所有数字的总和。如果列表为空，则返回零。请注意，负值也必须考虑在内。"
    "然后把结果显示给用户，并把它写进文件。如果文件不存在，就先创建一个新的文件，再写入内容。最后关闭文件，返回写入的字符数，以便调用者检查。"
    "任何错误都会记录在日志里，管理员可以随时查看。",
}
MODERN = """def gcd_ext(qx, wz):
    xq, zw, vk = qx, wz, []
    while zw:
        vk.append((xq // zw, xq % zw))
        xq, zw = zw, xq % zw
    kzt, pqr = 1, 0
    for hjk, _ in reversed(vk):
        kzt, pqr = pqr, kzt - hjk * pqr
    return xq, kzt, pqr
"""


def characters(seed: int, length: int) -> str:
    draw = random.Random(seed)
    return "".join(chr(draw.randrange(32, 127)) for _ in range(length))


def test_pieces_of_words_that_run_into_each_other_are_gibberish(golden_text):
    found = analyse(SALAD)
    assert found.kind == "gibberish"
    golden_text(found.evidence)


@pytest.mark.parametrize("seed", range(5))
def test_random_characters_are_gibberish(seed):
    assert analyse(characters(seed, 400)).kind == "gibberish"


def test_gibberish_after_a_sound_line_is_found():
    assert find_gibberish("    total = 0\n" + SALAD)


@pytest.mark.parametrize("language", PROSE)
def test_prose_is_no_gibberish_in_any_language(language):
    assert not analyse(PROSE[language]).degenerate


def test_code_with_names_that_nobody_knows_is_code():
    assert find_gibberish(MODERN) is None


def test_a_cut_in_the_last_statement_does_not_make_code_gibberish():
    assert find_gibberish(MODERN[:-20]) is None


def test_what_is_short_is_not_judged():
    assert find_gibberish(SALAD[:140]) is None


def test_the_words_of_the_prompt_are_known():
    broken = " ".join(f"zorp_{w} quuxify({w}" for w in ("blarg", "fnord", "xyzzy", "plugh", "waldo", "garply")) * 2
    assert find_gibberish(broken)
    assert find_gibberish(broken, "zorp blarg quuxify fnord xyzzy plugh waldo garply") is None


def test_the_words_are_words():
    words = known_words()
    assert len(words) == 3_000
    assert {"return", "self", "the", "index", "value"} <= words
    assert all(word.isascii() and word.islower() and len(word) >= 2 for word in words)


@pytest.mark.parametrize(
    "text", [".................,.,.,.", "((,.)(,,)):.=,(:=.,)(=,:.)((,=.:,)(", ". , . . , ,\n" * 4]
)
def test_a_salad_of_signs_is_degenerate_whichever_kind_it_is_called(text):
    found = analyse(text)
    assert found.degenerate
    assert is_sign_salad(text)


@pytest.mark.parametrize(
    "text", ["    return x ** -(-y // 2)\n", "x = [[0] * 3] * 3\n", "# " + "-" * 60 + "\n    return 1\n"]
)
def test_code_of_many_signs_is_no_salad(text):
    assert not is_sign_salad(text)


def test_code_that_lost_the_indentation_of_its_first_line_is_code():
    body = "".join("    " + line for line in MODERN.splitlines(keepends=True)[1:])
    assert find_gibberish(body.lstrip()) is None


def test_a_model_that_guesses_each_token_writes_gibberish_however_common_its_tokens_are(golden_text):
    text = " self ) in return , = ( for x [ not : def if ] len ) i 1 == + else . and ) ( s" * 2
    ids = list(range(60))
    assert not analyse(text, ids, token_entropy_nats=[0.4] * 60).degenerate
    found = analyse(text, ids, token_entropy_nats=[5.2] * 60)
    assert found.kind == "gibberish"
    golden_text(found.evidence)
    assert not analyse(MODERN, ids, token_entropy_nats=[5.2] * 60).degenerate


TORN = (
    "    summing up = lenght(numbres) summation\n    for every number in totalize elements:\n"
    "        summing up += element wise(number)\n    return summing up divided bylenght_of numbers\n"
    "    print(sumtotalize(list comprehension))\n"
)
PSEUDOCODE = (
    "    total = sum of all numbers in the list\n    for each number in list:\n"
    "        if number is even then add number to total\n"
    "        else skip the number and go on with the next\n    return total\n"
)


def test_code_of_half_known_words_that_stand_side_by_side_is_gibberish():
    assert analyse(TORN).kind == "gibberish"


def test_half_known_words_with_signs_between_them_are_names():
    assert not analyse(re.sub(r"(?<=\w) (?=\w)", ".", TORN)).degenerate


def test_pseudocode_is_an_attempt_at_an_answer():
    assert not analyse(PSEUDOCODE).degenerate


DOCSTRING = '''def rooted_forest(n):
    """Returns a uniformly drawn rooted forest by Kirchhoff's theorem [1]_.

    Lists the trees in order :math:`O(n^2)`; number of nodes and size of eccentric orchards (cf. [2]_, [3]_).
    Cayley's bijection makes the distribution uniform [4]_, where naive backtracking returns a value that
    favours gnarled saplings (:math:`n > 12`). See Knuth [5]_ for the function of oriented boughs [6]_, tendrils'''


def test_a_docstring_of_uncommon_words_that_was_cut_is_prose():
    assert find_gibberish(DOCSTRING) is None


@pytest.mark.parametrize("seed", range(5))
def test_what_is_no_prose_in_an_open_string_is_gibberish(seed):
    assert find_gibberish('def f(x):\n    """' + characters(seed, 400).replace('"', "'")) is not None
