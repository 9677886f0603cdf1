"""``analyse`` on files of any tool: what is measured, what is said of it, and what comes of broken ones."""

import json
from dataclasses import replace

import pytest
from shipped_records import shipped_records
from small_folder import ROOT

from evalharness.commands.analyse import json_lines, lines
from evalharness.errors import CompletionFileError
from evalharness.pipeline.analysing import analyse_files, worst_first
from evalharness.problems import load_problems

TOKENIZER = ROOT / "checkpoints/causal/tokenizer.json"
LOOP = "    x = 1\n" * 60
SOUND = "    return a + b\n"


def write(tmp_path, rows, name="c.jsonl"):
    text = json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def analyse(tmp_path, rows, name="c.jsonl", **more):
    (file,) = analyse_files([write(tmp_path, rows, name)], **more).files
    return file


@pytest.fixture(scope="module")
def human_eval():
    return load_problems("humaneval", environment={}).problems


@pytest.fixture
def given(monkeypatch):
    """What reaches the analysis."""
    from evalharness import degeneration

    seen = []
    real = degeneration.analyse_all

    def spy(completions, decode=None):
        seen.extend(completions)
        return real(completions, decode)

    monkeypatch.setattr(degeneration, "analyse_all", spy)
    return seen


def test_only_what_the_model_wrote_is_measured(tmp_path, human_eval, given):
    rows = [{"task_id": p.task_id, "solution": f"{p.prompt.strip()}\n{SOUND}"} for p in human_eval[:3]]
    file = analyse(tmp_path, rows)
    assert [w.text.removeprefix("\n") for w in given] == [SOUND] * 3
    assert [(w.prompt, w.task_id) for w in given] == [(p.prompt, p.task_id) for p in human_eval[:3]]
    assert file.notes == ("prompts from humaneval, whose tasks these are", "texts that the prompt was cut off (3)")


def test_characters_count_from_where_the_model_began_to_write(tmp_path, human_eval):
    file = analyse(tmp_path, [[human_eval[0].prompt + LOOP]], "generations_humaneval.json")
    (found,) = file.completions
    loop = found.degeneration.loop
    assert (found.task_id, loop.start_character, loop.end_character) == ("HumanEval/0", 0, len(LOOP))


def test_bigcode_texts_are_told_by_their_prompts_whatever_their_positions(tmp_path, human_eval, given):
    texts = [[f"{p.prompt.strip()}\n{SOUND}"] for p in human_eval[50:]]
    file = analyse(tmp_path, texts, "generations_humaneval.json")
    assert [c.task_id for c in file.completions] == [p.task_id for p in human_eval[50:]]
    assert {w.text.removeprefix("\n") for w in given} == {SOUND}


def test_a_whole_program_whose_prompt_is_not_known_is_measured_whole_and_that_is_said(tmp_path, given):
    file = analyse(tmp_path, [["def f():\n" + SOUND], ["def g():\n" + SOUND]], "generations_other.json")
    assert [w.text for w in given] == ["def f():\n" + SOUND, "def g():\n" + SOUND]
    assert [c.task_id for c in file.completions] == ["0", "1"]
    assert file.notes == ("whole programs that don't begin with a prompt that is known, measured whole (2)",)


def test_a_completion_that_is_the_prompt_again_is_not_cut(tmp_path, human_eval, given):
    analyse(tmp_path, [{"task_id": human_eval[0].task_id, "completion": human_eval[0].prompt}])
    assert given[0].text == given[0].prompt == human_eval[0].prompt


def test_prompts_of_the_sets_that_ship_are_taken_only_where_every_task_is_one_of_theirs(tmp_path, given):
    rows = [{"task_id": "HumanEval/0", "completion": SOUND}, {"task_id": "warmup/0", "completion": SOUND}]
    assert analyse(tmp_path, rows).notes == ("prompts from humaneval and warmup, whose tasks these are",)
    assert all(w.prompt for w in given)
    given.clear()
    assert analyse(tmp_path, [*rows, {"task_id": "other/0", "completion": SOUND}]).notes == ()
    assert [w.prompt for w in given] == [None] * 3


def test_a_problem_set_that_is_named_gives_prompts_and_what_it_lacks_is_said(tmp_path, given):
    problem = {"task_id": "own/0", "prompt": "def f():\n", "entry_point": "f", "canonical_solution": "    pass\n"}
    own = write(tmp_path, [{**problem, "test": "def check(f): ..."}], "own.jsonl")
    rows = [{"task_id": "own/0", "completion": SOUND}, {"task_id": "own/1", "completion": SOUND}]
    file = analyse(tmp_path, rows, problems=[str(own)])
    assert [w.prompt for w in given] == ["def f():\n", None]
    assert file.notes == ("not in the problem set: completions whose prompt is not known (1)",)


def test_a_rows_own_prompt_goes_before_the_problems(tmp_path, given):
    rows = [{"task_id": "HumanEval/0", "prompt": "sent", "completion": SOUND}]
    assert analyse(tmp_path, rows).notes == ()
    assert given[0].prompt == "sent"


def test_lines_without_an_id_are_not_taken_for_tasks(tmp_path, given):
    analyse(tmp_path, [{"text": SOUND}, {"text": SOUND}])
    assert [w.task_id for w in given] == [None, None]


def test_the_ids_of_the_file_are_taken_where_they_are_the_tokenizers(tmp_path, given):
    rows = [json.loads(line) for line in _own_completions()[:4]]
    file = analyse(tmp_path, rows, tokenizer=TOKENIZER)
    assert [w.token_ids for w in given] == [tuple(row["token_ids"]) for row in rows]
    assert file.notes == ("prompts from humaneval, whose tasks these are",)


def test_ids_of_another_tokenizer_are_not_taken_and_that_is_said(tmp_path, given, golden_text):
    row = {"text": "return", "token_ids": [1, 2, 3]}
    file = analyse(tmp_path, [row, {"text": "x"}], tokenizer=TOKENIZER)
    assert given[0].token_ids != (1, 2, 3)
    (note,) = file.notes
    golden_text(note)


def test_an_id_outside_the_vocabulary_is_one_line_that_names_it(tmp_path, golden_text):
    rows = [{"text": "x", "token_ids": [1]}, {"text": "x", "token_ids": [1, 999_999]}]
    with pytest.raises(CompletionFileError) as error:
        analyse(tmp_path, rows, tokenizer=TOKENIZER)
    golden_text(error)


def test_a_text_that_the_tokenizer_cannot_encode_is_measured_by_characters(tmp_path, given, golden_text):
    (tmp_path / "c.jsonl").write_bytes(b'{"text": "fine"}\n{"text": "' + b"\xff\xfe = 1\\n" * 60 + b'"}\n')
    (file,) = analyse_files([tmp_path / "c.jsonl"], tokenizer=TOKENIZER).files
    assert (given[0].token_ids is None, given[1].token_ids is None) == (False, True)
    assert file.completions[1].degeneration.kind == "line"
    golden_text(file.notes[0])
    golden_text(file.notes[1])
    assert all(line.isprintable() for line in lines(analyse_files([tmp_path / "c.jsonl"])))


def _own_completions():
    return (shipped_records() / "causal/step_1000/completions/humaneval.greedy.jsonl").read_text().splitlines()


@pytest.mark.parametrize(("text", "kind"), [("", "empty"), (" \n", "empty"), ("x", None)])
def test_an_empty_text_and_one_token_are_results(tmp_path, text, kind):
    (found,) = analyse(tmp_path, [{"text": text, "token_ids": [1] if text else []}]).completions
    assert found.degeneration.kind == kind


def test_json_has_a_row_for_each_completion_and_the_summary_last(tmp_path):
    file = write(tmp_path, [{"id": "a", "text": LOOP}, {"id": "b", "text": SOUND}])
    rows = [json.loads(line) for line in json_lines(analyse_files([file]))]
    measures = rows[0].pop("measures")
    assert (measures["unit"], measures["longest_newline_run"], measures["ratios"]["repeated_lines"]) == (
        "character",
        1,
        pytest.approx(59 / 60),
    )
    assert rows[0] == {
        "task_id": "a",
        "completion_id": 0,
        "degenerate": True,
        "kind": "line",
        "unit": "character",
        "period": 10,
        "copies": 60,
        "onset": 0,
        "length": 600,
        "share": 1.0,
        "start_character": 0,
        "end_character": 600,
        "ran_to_limit": True,
        "after_answer": False,
        "validity": {"alone": True, "with_prompt": None},
        "evidence": "line '    x = 1\\n' repeated 60 times from character 0 to the end",
    }
    assert rows[1]["unit"] is rows[1]["start_character"] is rows[1]["kind"] is None
    assert (rows[2]["completions"], rows[2]["kinds"], rows[2]["degenerate"]["estimate"]) == (2, {"line": 1}, 0.5)
    assert len(rows) == 3


def test_the_ten_that_lose_most_of_their_text_are_listed_and_all_where_that_is_asked_for(tmp_path):
    answer = "    return sorted(set(a) | set(b))\n"
    texts = {
        "part": "".join(f"    {word} = {word}_of(a)\n" for word in ("mean", "size", "rest", "total")) + LOOP,
        "after": answer + "\n" * 3000,
        "short": "    x = 1\n" * 40,
        **{f"long {number}": LOOP for number in range(8)},
        "sound": SOUND,
    }
    result = analyse_files([write(tmp_path, [{"id": name, "text": text} for name, text in texts.items()])])
    order = [completion.task_id for _, completion in worst_first(result.files)]
    assert order == [*(f"long {number}" for number in range(8)), "short", "part", "after"]
    listed = list(lines(result))
    assert [line.split(" (completion")[0] for line in listed[:10]] == order[:10]
    assert "11" in listed[10]
    assert "--all" in listed[10]
    assert len(listed) == 12
    assert len(list(lines(result, at_most=None))) == 12, "eleven completions and the summary"
    assert len(list(json_lines(result))) == len(texts) + 1


def test_several_files_have_a_summary_each_and_one_over_all(tmp_path, golden_text):
    first = write(tmp_path, [{"id": "a", "text": LOOP}], "a.jsonl")
    second = write(tmp_path, [[SOUND], [SOUND, SOUND]], "b.json")
    result = analyse_files([first, second])
    rows = [json.loads(line) for line in json_lines(result)]
    assert [row["file"] for row in rows[:-1]] == [str(first), *[str(second)] * 3]
    assert rows[-1]["completions"] == 4
    assert [(f["file"], f["completions"], f["forms"]) for f in rows[-1]["files"]] == [
        (str(first), 1, {"texts": 1}),
        (str(second), 3, {"bigcode-evaluation-harness": 3}),
    ]
    shown = list(lines(result))
    golden_text(shown[0])
    assert [line.split(" completions")[0] for line in shown[1:]] == [
        f"{first}: 1 of 1",
        f"{second}: 0 of 3",
        "all files: 1 of 4",
    ]


def test_a_file_that_cannot_be_read_does_not_lose_the_others(tmp_path, golden_text):
    good = write(tmp_path, [{"text": SOUND}], "a.jsonl")
    bad = write(tmp_path, [{"text": SOUND}, {"question": "?"}], "b.jsonl")
    result = analyse_files([bad, good, tmp_path / "none.jsonl"])
    assert [file.file for file in result.files] == [good]
    with pytest.raises(CompletionFileError) as error:
        result.raise_faults()
    golden_text(error)


def test_a_run_is_analysed_by_its_folder():
    result = analyse_files([shipped_records() / "leaky/step_1000"])
    assert [file.file.name for file in result.files] == [
        "humaneval.greedy.jsonl",
        "humaneval.sampled.jsonl",
        "warmup.greedy.jsonl",
        "warmup.sampled.jsonl",
    ]
    assert all(file.forms == {"evalharness": file.summary.completions + _not_begun(file)} for file in result.files)
    assert result.overall.share.estimate == 1.0


def _not_begun(file):
    return sum(
        json.loads(line)["stop_reason"] in {"prompt_too_long", "prompt_not_encodable"}
        for line in file.file.read_text().splitlines()
    )


def test_completions_that_were_never_begun_are_left_out_and_that_is_said(tmp_path, golden_text):
    rows = [{"text": "", "stop_reason": "prompt_too_long"}, {"text": SOUND, "stop_reason": "end_token"}]
    file = analyse(tmp_path, rows)
    assert file.summary.completions == 1
    assert file.notes == ("left out: completions that were never begun (1)",)
    with pytest.raises(CompletionFileError) as error:
        analyse(tmp_path, rows[:1])
    golden_text(error)


def test_how_far_it_is_is_told_file_by_file(tmp_path):
    said = []

    class Told:
        def say(self, line):
            said.append(line)

        def stage(self, name, total):
            said.append((name, total))

        def advance(self):
            said.append("+")

    first, second = (write(tmp_path, [{"text": SOUND}], name) for name in ("a.jsonl", "b.jsonl"))
    analyse_files([first, second], watcher=Told())
    assert said == [
        ("analysing", 2),
        f"{first}: 1 completions, read as texts",
        "+",
        f"{second}: 1 completions, read as texts",
        "+",
    ]


def test_the_interval_is_over_tasks_in_all_files_together(tmp_path):
    rows = [{"id": name, "text": text} for name, text in (("a", LOOP), ("b", SOUND))]
    one = write(tmp_path, rows, "a.jsonl")
    again = analyse_files([one, write(tmp_path, rows, "b.jsonl")]).overall
    assert replace(again.share, estimate=0.5) == again.share
    assert (again.completions, again.degenerate) == (4, 2)
    # Two tasks, not four: the second file adds nothing to what is known of the share.
    assert again.share.high - again.share.low > 0.8
