import ast
import gzip
import json
import re
from functools import partial

import pyarrow as pa
import pytest
from pyarrow import parquet
from scripted import problem, scripted, seen, split, subject
from shared_data import shared_or_skip
from small_training import Characters

from evalharness.diagnosis import each_text, read_rows
from evalharness.diagnosis.data.data_files import MOST_ROWS
from evalharness.diagnosis.data.problem_search import N
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.contamination import contamination, renamed_about
from evalharness.diagnosis.subject import Split
from evalharness.problems import load_problems
from evalharness.records import Finding, RuledOut

PROMPT = 'def total(values, start):\n    """Return the sum of all values, from start on, as one number."""\n'
SOLUTION = (
    "    result = start\n    for value in values:\n        result = result + value\n    return round(result, 2)\n"
)
OTHER = DataRow("def area(width, height):\n", "    return width * height\n")


def looked_up(*rows, of=None, **more):
    of = problem("a/1", PROMPT, SOLUTION) if of is None else of
    made = subject(scripted(context_length=None), problems=(of,), train=split([OTHER, *rows]), **more)
    return contamination(Measured(made))


def test_a_problem_that_is_in_no_row_is_cleared_with_its_figures():
    found = looked_up()
    assert isinstance(found, RuledOut)
    assert found.evidence["n"] == N == 13
    assert f"{N}-grams" in found.claim


@pytest.mark.parametrize(
    ("row", "how"),
    [
        (DataRow(PROMPT, "    pass\n"), "exact"),
        (DataRow("", "x = 1\n" + PROMPT + SOLUTION), "exact"),
        (DataRow("", "# mine\n" + SOLUTION), "exact"),
        (DataRow("", PROMPT.replace("    ", "\t").upper()), "normalised"),
        (DataRow("", (PROMPT + SOLUTION).replace("total", "summed")), "n-gram"),
    ],
    ids=["its prompt", "the whole of it", "its solution", "in another layout", "under another name"],
)
def test_a_problem_is_found_however_it_is_in_the_rows(row, how):
    found = looked_up(row)
    assert isinstance(found, Finding)
    assert found.evidence["in_training"] == 1
    assert found.evidence["tasks_in_training"] == "a/1"
    if how != "n-gram":
        assert found.evidence[f"{how}_in_training"] == 1


def test_most_of_the_n_grams_are_enough_and_few_are_not():
    words = [f"w{i}" for i in range(100)]
    of = problem("a/1", " ".join(words))
    assert looked_up(DataRow("", " ".join(words[:90])), of=of).evidence["n-gram_in_training"] == 1
    assert isinstance(looked_up(DataRow("", " ".join(words[:60])), of=of), RuledOut)


def test_a_solution_that_many_people_write_is_no_contamination():
    of = problem("a/1", "def plus(a, b):\n", "    return a + b\n")
    assert isinstance(looked_up(DataRow("def add(a, b):\n", "    return a + b\n"), of=of), RuledOut)
    assert isinstance(looked_up(DataRow("def plus(a, b):\n", "    return a + b\n"), of=of), Finding)


def test_what_is_only_in_the_validation_rows_was_not_trained_on_and_is_a_note():
    found = looked_up(validation=split([DataRow(PROMPT, SOLUTION)]))
    assert (found.severity, found.evidence["in_training"], found.evidence["in_validation_only"]) == ("note", 0, 1)


def many(known):
    """Forty problems, of which the first twenty are in the rows."""
    names = ["alpha", "beta", "gamma", "delta", "omega", "kappa", "sigma", "theta"]
    problems = []
    for i in range(40):
        a, b = names[i % 8], names[(i + 3) % 8]
        prompt = f"def f{i}({a}, {b}):\n"
        problems.append(problem(f"p/{i}", prompt, f"    {a} = {a} + {i}\n    return {a} - {b} * {i}\n"))
    rows = [DataRow(p.prompt, p.canonical_solution) for p in problems[:20]]
    texts = [p.prompt + p.canonical_solution for p in problems[:known]]
    encode = Characters().encode
    following = {tuple(encode(text)[: i + 1]): encode(text)[i + 1] for text in texts for i in range(len(text) - 1)}

    def after(ids):
        return {following[tuple(ids)]: 9.0} if tuple(ids) in following else {}

    passed = tuple(seen(p, "x", passed=i < 15 or i == 30) for i, p in enumerate(problems))
    made = subject(scripted(after), problems=tuple(problems), train=split(rows), observed=passed)
    return contamination(Measured(made))


def test_seen_and_other_problems_are_scored_apart():
    found = many(0)
    assert found.evidence["pass_at_1_seen"][0] == 0.75
    assert found.evidence["pass_at_1_unseen"][0] == 0.05
    assert re.search(
        r"pass@1 is 75\.0 % \[5\d\.\d, \d\d\.\d\] on these and 5\.0 % \[0\.\d, 2\d\.\d\] on the others", found.claim
    )


def test_a_model_that_knows_the_seen_solutions_by_heart_loses_more_when_their_names_change(golden_text):
    found = many(20)
    assert found.evidence["renaming_costs_more_nats"][1] > 0.5
    golden_text(found.claim)
    assert "no sign" not in found.claim


def test_a_model_that_knows_all_or_none_alike_shows_no_sign_of_memory(golden_text):
    for known in (0, 40):
        golden_text(many(known).claim)


def test_names_change_about_everywhere_and_the_program_stays_one(golden_text):
    prompt, solution = renamed_about(PROMPT, SOLUTION)
    golden_text(prompt + solution)
    tree = ast.parse(prompt + solution)
    assert ast.dump(tree) != ast.dump(ast.parse(PROMPT + SOLUTION))


@pytest.mark.parametrize("solution", ["    return 1\n", "    not a program\n", "    return one\n"])
def test_what_has_no_two_names_or_is_no_program_is_not_renamed(solution):
    assert renamed_about("def f(one):\n", solution) is None


def test_a_problem_without_a_solution_is_looked_up_by_its_prompt():
    assert isinstance(looked_up(DataRow(PROMPT, ""), DataRow("", "x"), of=problem("a/1", PROMPT, "")), Finding)


def test_the_real_case_has_all_of_humaneval_in_its_data():
    files = {name: shared_or_skip(f"seed/v2_{name}.jsonl") for name in ("train", "val")}
    train, validation = (Split(tuple(read_rows(path)), (), name) for name, path in files.items())
    problems = load_problems("humaneval", environment={}).problems
    made = subject(scripted(context_length=8), problems=problems, train=train, validation=validation)
    found = contamination(Measured(made))
    assert found.severity == "contributing"
    assert (found.evidence["in_training"], found.evidence["in_validation_only"]) == (146, 18)


def test_all_rows_of_a_large_file_are_searched_and_not_only_those_that_are_drawn(tmp_path):
    file = tmp_path / "train.jsonl"
    rows = [{"text": f"x_{i} = {i}\n"} for i in range(MOST_ROWS + 5_000)]
    rows[2] = {"text": PROMPT + SOLUTION}
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    drawn = read_rows(file)
    assert not any(SOLUTION in row.completion for row in drawn)
    of_all = Split(tuple(drawn), split(drawn[:5]).encoded, file.name, partial(each_text, file))
    made = subject(scripted(context_length=None), problems=(problem("a/1", PROMPT, SOLUTION),), train=of_all)
    found = contamination(Measured(made))
    assert (found.evidence["exact_in_training"], found.evidence["training_rows"]) == (1, len(rows))


@pytest.mark.parametrize("form", ["rows.json", "rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_every_row_is_given_in_whatever_form_the_file_is(tmp_path, form):
    rows = [{"prompt": f"p{i}\n", "completion": f"c{i}"} for i in range(7)]
    file = tmp_path / form
    if form.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), file)
    elif form.endswith(".json"):
        file.write_text(json.dumps(rows), encoding="utf-8")
    else:
        with (gzip.open if form.endswith(".gz") else open)(file, "wt", encoding="utf-8") as opened:
            opened.writelines(f"{json.dumps(row)}\n" for row in rows)
    assert list(each_text(file)) == [f"p{i}\nc{i}" for i in range(7)]
