from dataclasses import replace

import pytest
from scripted import follower, problem, scripted, seen, split, subject
from small_training import CONTEXT, END, Characters, data_rows

from evalharness.diagnosis.data.row_form import row_forms
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.prompt_format import prompt_format
from evalharness.diagnosis.subject import PromptWay, Split
from evalharness.diagnosis.trials.greedy_trials import Asked, askable, completed, new_tokens
from evalharness.records import Finding, FormatComparison, Interval, NotTestable, RuledOut

PROBLEMS = tuple(problem(f"p/{i}", f"def f{i}(a, b):\n") for i in range(20))
ANSWERS = [f"    return {chr(97 + i)}{chr(97 + i)} - {i * 37}\n" for i in range(26)]
LOOP = "\n" * 40
SOLVED = [DataRow(f"def g{i}():\n", " 1\n") for i in range(8)]


def writing(healthy, seen=None):
    """Answers prompts of which ``healthy(text)`` is true, and loops after all others."""

    def generate(prompts, new_tokens):
        texts = [Characters().decode(ids) for ids in prompts]
        if seen is not None:
            seen.append(texts)
        made = [ANSWERS[i % 26] if healthy(text) else LOOP for i, text in enumerate(texts)]
        return [tuple(Characters().encode(text))[:new_tokens] for text in made]

    return generate


def asked(healthy, *, train=None, problems=PROBLEMS, seen=None, **more):
    model = None if train is None else scripted(follower(train.encoded))
    made = subject(model, problems=problems, train=train, generate=writing(healthy, seen), **more)
    return prompt_format(Measured(made))


def headed(head, tail=""):
    return split([DataRow(head + row.prompt + tail, row.completion) for row in data_rows(20, 1)])


@pytest.mark.parametrize(("head", "tail"), [("Q: ", ""), ("", "A:"), ("[", "]"), ("def ", "!")])
def test_what_training_prompts_share_is_put_around_the_prompt_and_told(head, tail, golden_text):
    found = asked(lambda text: text.startswith(head) and text.endswith(tail), train=headed(head, tail))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    golden_text(found.claim)


@pytest.mark.parametrize(
    ("healthy", "way"),
    [(lambda text: text.endswith("\n\n"), "a newline more"), (lambda text: not text.endswith("\n"), "a newline less")],
)
def test_a_newline_that_decides_is_found(healthy, way):
    found = asked(healthy)
    assert isinstance(found, Finding)
    assert way in found.claim


def helped_by_examples(text):
    return text.startswith("def g0():\n 1\ndef g1():\n 1\ndef f")


def test_examples_that_help_are_a_note_for_they_are_no_form_of_the_prompt(golden_text):
    found = asked(helped_by_examples, train=split(SOLVED))
    assert (type(found), found.severity) == (Finding, "note")
    golden_text(found.claim)


def test_another_form_is_named_before_examples_that_help_as_well():
    found = asked(lambda text: helped_by_examples(text) or text.endswith("\n\n"), train=split(SOLVED))
    assert found.severity == "contributing"
    assert "a newline more" in found.claim


def test_a_begin_token_that_stands_twice_is_found(golden_text):
    begin = Characters().encode("^")[0]
    problems = tuple(problem(f"p/{i}", f"^def f{i}(a, b):\n") for i in range(20))
    found = asked(lambda text: not text.startswith("^^"), problems=problems, begin_ids=(begin,))
    assert isinstance(found, Finding)
    golden_text(found.claim)
    assert found.evidence["begin_tokens_scoring"] == 2


def test_a_model_that_behaves_is_asked_once_and_cleared():
    seen = []
    found = asked(lambda _: True, train=headed("Q: "), seen=seen)
    assert isinstance(found, RuledOut)
    assert len(seen) == 1
    assert found.evidence["training_prompts_begin_with"] == "Q: def "


@pytest.mark.parametrize(("problems", "kind"), [(PROBLEMS[:3], NotTestable), (PROBLEMS[:8], RuledOut)])
def test_of_a_few_completions_none_degenerate_says_nothing(problems, kind):
    assert isinstance(asked(lambda _: True, problems=problems), kind)


@pytest.mark.parametrize(("severity", "outcome"), [("contributing", NotTestable), ("note", Finding)])
def test_loops_of_a_model_that_never_ends_are_not_laid_on_the_prompt(severity, outcome):
    made = subject(problems=PROBLEMS, generate=writing(lambda text: text.endswith("\n\n")))
    never = Finding("no_end_token", severity, "a claim", {}, "a remedy")
    assert isinstance(prompt_format(Measured(made, outcomes=[never])), outcome)


def test_a_model_that_loops_whatever_it_is_asked_is_cleared_with_what_was_tried(golden_text):
    found = asked(lambda _: False, train=headed("Q: "))
    assert isinstance(found, RuledOut)
    golden_text(found.claim)


def test_a_change_that_makes_it_worse_is_no_finding():
    assert isinstance(asked(lambda text: text.endswith("):\n")), RuledOut)


def test_a_change_that_betters_few_is_no_finding():
    found = asked(lambda text: text.endswith("\n\n") and text[5] in "123" and text[6] == "(")
    assert isinstance(found, RuledOut)


def test_a_newline_that_is_part_of_a_token_across_the_boundary_is_left_to_that_probe():
    class Merging(Characters):
        def encode(self, text):
            return super().encode(text.replace("\n    ", "~"))

    made = subject(problems=PROBLEMS, generate=writing(lambda text: not text.endswith("\n")))
    assert isinstance(prompt_format(Measured(made)), Finding)
    made = replace(made, tokenizer=Merging())
    assert isinstance(prompt_format(Measured(made)), NotTestable)


@pytest.mark.parametrize("train", [None, split(data_rows(3, 1)), Split((DataRow("", "x"),) * 20, (), "t")])
def test_too_few_training_prompts_are_said(train):
    found = asked(lambda _: True, train=train)
    assert isinstance(found, RuledOut)
    assert "training_prompts_begin_with" not in found.evidence


def test_prompts_that_do_not_fit_make_it_not_testable():
    assert isinstance(asked(lambda _: True, problems=(problem("p", "#" * CONTEXT),)), NotTestable)
    assert isinstance(asked(lambda _: True, problems=(problem("p", ""),)), NotTestable)


def test_completions_end_at_end_tokens_and_stop_sequences_as_at_scoring():
    characters = Characters()
    ended = [(*characters.encode(answer), END, *characters.encode(LOOP))[:48] for answer in ANSWERS]
    made = subject(problems=PROBLEMS, generate=lambda prompts, _: ended[: len(prompts)], end_ids=frozenset({END}))
    assert prompt_format(Measured(made)).evidence["degenerate"] == 0
    stopping = tuple(problem(f"p/{i}", f"def f{i}():\n", stop=("\nx",)) for i in range(20))
    stopped = [tuple(characters.encode(answer + "x = 1\n" * 20)) for answer in ANSWERS]
    made = subject(problems=stopping, generate=lambda prompts, n: [ids[:n] for ids in stopped[: len(prompts)]])
    assert prompt_format(Measured(made)).evidence["degenerate"] == 0


def test_a_model_that_knows_nothing_knows_no_format_either():
    made = subject(problems=PROBLEMS, train=headed("Q: "), generate=writing(lambda text: text.startswith("Q: ")))
    found = prompt_format(Measured(made))
    assert isinstance(found, NotTestable)
    assert found.kind == "undecided"


def test_a_few_answers_to_all_problems_stay_so_when_they_are_asked_in_two_goes():
    def generate(prompts, _):
        numbers = [int(Characters().decode(ids).partition("(")[0].removeprefix("def f")) for ids in prompts]
        return [tuple(Characters().encode(f"    return max({'abc'[n % 3]}, n)\n")) for n in numbers]

    found = prompt_format(Measured(subject(problems=PROBLEMS, generate=generate)))
    assert isinstance(found, RuledOut)
    changes = [figures for name, figures in found.evidence.items() if name.startswith("with")]
    assert [(figures["degenerate_before"], figures["better"]) for figures in changes] == [(1.0, 0)] * 2


def test_a_completion_begins_after_what_the_model_wrote_of_the_prompt_itself():
    text = Characters().encode("\n" + "ab" * CONTEXT)
    made = subject(problems=PROBLEMS, generate=lambda prompts, count: [tuple(text[:count])] * len(prompts))
    whole = askable(made)
    cut = [Asked(asked.problem, asked.ids[:-1]) for asked in whole]
    other = [Asked(asked.problem, (5, *asked.ids[:-1])) for asked in whole]
    room = new_tokens(made)
    assert {w.text for w in completed(made, cut).values()} == {("ab" * CONTEXT)[:room]}
    assert {w.text for w in completed(made, other).values()} == {("\n" + "ab" * CONTEXT)[:room]}


def test_a_chat_template_that_decides_is_found_and_its_end_ends_the_answer(golden_text):
    way = PromptWay("<{prompt}>", (), frozenset({END}))

    def generate(prompts, count):
        texts = [Characters().decode(ids) for ids in prompts]
        ended = [(*Characters().encode(answer), END) for answer in ANSWERS]
        loop = tuple(Characters().encode(LOOP))
        return [(*(ended[i] if text.startswith("<") else ()), *loop)[:count] for i, text in enumerate(texts)]

    found = prompt_format(Measured(subject(problems=PROBLEMS, generate=generate, other_way=way)))
    assert isinstance(found, Finding)
    golden_text(found.claim)


@pytest.mark.parametrize(("low", "kind"), [(0.1, Finding), (-0.1, RuledOut)])
def test_problems_that_pass_in_the_other_format_alone_are_a_finding_beyond_their_interval(low, kind, golden_text):
    rate = Interval(0.5, 0.4, 0.6)
    formats = FormatComparison("plain", 20, rate, Interval(0.8, 0.7, 0.9), Interval(0.3, low, 0.5))
    found = prompt_format(Measured(subject(problems=PROBLEMS, generate=writing(lambda _: True), formats=formats)))
    assert isinstance(found, kind)
    assert found.evidence["pass_rate_otherwise"] == 0.8
    if kind is Finding:
        golden_text(found.claim)


def knowing(form):
    """Knows each problem's solution after its prompt in the form, and nothing elsewhere."""
    texts = [form.replace("{prompt}", p.prompt) + p.canonical_solution for p in PROBLEMS]

    def after(ids):
        text = Characters().decode(ids)
        return {Characters().encode(known[len(text)])[0]: 9.0 for known in texts if known[:-1].startswith(text)}

    return scripted(after, context_length=CONTEXT)


def solved(form, **more):
    model, rows = knowing(form), headed(*form.split("{prompt}"))
    made = subject(model, problems=PROBLEMS, train=rows, generate=writing(lambda _: True), **more)
    return prompt_format(Measured(made))


@pytest.mark.parametrize("form", ["Q: {prompt}", "Task\n{prompt}A:", "{prompt}[answer]\n"])
def test_fluent_answers_are_found_wrong_by_what_the_solutions_cost_in_the_form_of_the_rows(form):
    found = solved(form)
    assert isinstance(found, Finding)
    assert found.evidence["template_in_training"].replace("def ", "") == form
    assert found.evidence["in_form_nats"] < 0.1 < found.evidence["saved_low_nats"]


@pytest.mark.parametrize(("passing", "severity"), [(18, "note"), (10, "contributing")])
def test_another_form_is_a_note_if_most_problems_are_passed_as_scored(passing, severity):
    observed = tuple(seen(p, ANSWERS[i], passed=i < passing) for i, p in enumerate(PROBLEMS))
    assert solved("Q: {prompt}", observed=observed).severity == severity


@pytest.mark.parametrize(("begin", "end"), [("<|user|>", "<|end|>\n<|assistant|>"), ("[INST] ", " [/INST]")])
def test_what_marks_turns_is_in_every_form_and_what_all_texts_share_is_not_in_each(begin, end):
    rows = [DataRow(f"{begin}Write f{i % 7}.\nIt is f({i})\n.{end}", f" {i}\n") for i in range(10)]
    forms = row_forms(rows)
    assert all(form.head.startswith(begin) and form.tail.endswith(end) for form in forms)
    assert any((form.head, form.tail) == (begin, end) for form in forms)


def test_a_space_at_the_end_that_belongs_to_the_answer_is_named():
    problems = tuple(problem(p.task_id, p.prompt, " return 1\n") for p in PROBLEMS)
    texts = [f"{p.prompt}A:{p.canonical_solution}" for p in problems]

    def after(ids):
        text = Characters().decode(ids)
        if text.endswith("A:  "):
            return {}
        return {Characters().encode(known[len(text)])[0]: 9.0 for known in texts if known[:-1].startswith(text)}

    rows = split([DataRow(f"{row.prompt}A:", f" {row.completion.lstrip()}") for row in data_rows(20, 1)])
    made = subject(
        scripted(after),
        problems=problems,
        train=rows,
        prompt_template="{prompt}A:  ",
        generate=writing(lambda _: True),
    )
    found = prompt_format(Measured(made))
    assert isinstance(found, Finding)
    assert found.evidence["only_space_at_the_end"]


def test_a_chat_that_answers_with_the_whole_function_is_not_asked_for_its_body_alone():
    def texts(problem):
        return f"[{problem.prompt}]{problem.prompt}{problem.canonical_solution}", f"Q{problem.prompt}A"

    whole = [texts(p)[0] for p in PROBLEMS] + [texts(p)[1] + p.canonical_solution for p in PROBLEMS]

    def after(ids):
        text = Characters().decode(ids)
        return {Characters().encode(known[len(text)])[0]: 9.0 for known in whole if known[:-1].startswith(text)}

    rows, model = headed("Q", "A"), scripted(after, context_length=CONTEXT)
    made = subject(model, problems=PROBLEMS, train=rows, generate=writing(lambda _: True), prompt_template="[{prompt}]")
    assert isinstance(prompt_format(Measured(made)), RuledOut)


def test_a_model_of_bare_rows_that_is_asked_in_a_template_is_told_so():
    found = solved("{prompt}", prompt_template="[user]{prompt}[answer]")
    assert isinstance(found, Finding)
    assert found.evidence["template_in_training"].replace("def ", "").strip() == "{prompt}"
    assert found.evidence["other_text_nats"] == found.evidence["as_scored_nats"]
    assert found.evidence["saved_low_nats"] > 0.1


@pytest.mark.parametrize("template", ["Q: {prompt}", "[{prompt}]"])
def test_prompts_in_the_form_of_the_rows_are_cleared(template):
    assert isinstance(solved(template, prompt_template=template), RuledOut)


def test_a_model_that_knows_solutions_after_any_text_is_cleared():
    endings = [p.prompt + p.canonical_solution for p in PROBLEMS]

    def after(ids):
        text = Characters().decode(ids)
        at = text.rfind("def ")
        return {
            Characters().encode(e[len(text) - at])[0]: 9.0 for e in endings if e[:-1].startswith(text[at:]) and at >= 0
        }

    made = subject(scripted(after), problems=PROBLEMS, train=headed("Q: "), generate=writing(lambda _: True))
    assert isinstance(prompt_format(Measured(made)), RuledOut)


@pytest.mark.parametrize(
    ("head", "tail", "scored", "passing", "is_named"),
    [
        ("### Task: ", "### Answer:\n", "{prompt}", 0, True),
        ("### Task: ", "### Answer:\n", "### Task: {prompt}### Answer:", 0, False),
        ("### Task: ", "### Answer:\n", "{prompt}", 6, False),
        ("> ", "\n\n", "{prompt}", 0, False),
    ],
    ids=["another form", "that of the rows", "most pass", "no words in it"],
)
def test_a_form_of_all_rows_that_no_prompt_has_is_a_note_where_too_little_shows(head, tail, scored, passing, is_named):
    few = PROBLEMS[:6]
    observed = tuple(seen(p, ANSWERS[i], passed=i < passing) for i, p in enumerate(few))
    found = asked(lambda _: True, train=headed(head, tail), problems=few, prompt_template=scored, observed=observed)
    assert isinstance(found, Finding) == is_named
    if isinstance(found, Finding):
        assert found.severity == "note"
        assert found.evidence["template_in_training"].endswith("{prompt}" + tail)
