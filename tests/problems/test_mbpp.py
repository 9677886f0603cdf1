import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.errors import ProblemError
from evalharness.problems import mbpp

ROW = {
    "text": "Write a function to turn the tables.",
    "code": "def turn(tables): \r\n\treturn tables[::-1]",
    "task_id": 7,
    "test_setup_code": "one = 1\r\ntwo = 2",
    "test_list": ["assert turn([one, two]) == [2, 1]", "assert turn([]) == []"],
    "challenge_test_list": ["assert turn(None) is None"],
}


def no_download() -> Path:
    raise AssertionError("the hub must not be asked where a file is named")


def test_the_prompt_is_a_docstring_of_the_text_and_every_test():
    assert mbpp.problem(ROW).prompt == (
        '"""\nWrite a function to turn the tables.\nassert turn([one, two]) == [2, 1]\nassert turn([]) == []\n"""\n'
    )


def test_line_ends_become_unix_ones_and_the_setup_goes_before_the_asserts():
    problem = mbpp.problem(ROW)
    assert problem.canonical_solution == "def turn(tables): \n\treturn tables[::-1]\n"
    assert problem.test == "one = 1\ntwo = 2\nassert turn([one, two]) == [2, 1]\nassert turn([]) == []\n"
    assert problem.task_id == "MBPP/7"
    assert problem.entry_point is None


def test_a_completion_may_define_its_function_but_not_go_on_to_the_asserts():
    assert "\ndef" not in mbpp.problem(ROW).stop
    assert {"\nassert", "\nclass", '\n"""'} <= set(mbpp.problem(ROW).stop)


def test_the_default_is_the_test_split_of_five_hundred(mbpp_file):
    problems = mbpp.load({"mbpp": mbpp_file}, download=no_download)
    assert [problem.task_id for problem in problems] == [f"MBPP/{i}" for i in range(11, 511)]


def test_all_974_are_there_on_request(mbpp_file):
    problems = mbpp.load({"mbpp": mbpp_file}, ids=mbpp.ALL_IDS, download=no_download)
    assert [problem.task_id for problem in problems] == [f"MBPP/{i}" for i in range(1, 975)]
    assert not any("\r" in problem.prompt + problem.canonical_solution + problem.test for problem in problems)


def test_the_hub_is_asked_where_nothing_is_named(mbpp_file):
    assert len(mbpp.load(download=lambda: mbpp_file)) == 500


def test_the_program_works_without_the_prompt_and_fails_without_the_completion(mbpp_file):
    for problem in mbpp.load({"mbpp": mbpp_file}, ids=range(11, 21)):
        exec(problem.canonical_solution + problem.test, {})
        exec(problem.prompt + problem.canonical_solution + problem.test, {})
        with pytest.raises(NameError):
            exec(problem.prompt + problem.test, {})


def test_a_failed_download_says_how_to_name_a_local_file(golden_text):
    def unreachable() -> Path:
        raise OSError("no route to host\nand a long story")

    with pytest.raises(ProblemError) as caught:
        mbpp.load(download=unreachable)
    golden_text(caught)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_mbpps_is_refused_with_both_digests(tmp_path, golden_text):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps(ROW))
    with pytest.raises(ProblemError) as error:
        mbpp.load({"mbpp": path})
    golden_text(error)


@pytest.mark.parametrize("name", [".", "absent.jsonl"], ids=["a folder", "nothing"])
def test_a_path_without_a_file_is_refused(tmp_path, name, golden_text):
    with pytest.raises(ProblemError) as error:
        mbpp.load({"mbpp": tmp_path / name})
    golden_text(error)


def test_importing_the_loader_does_not_import_the_hubs_client():
    program = "import sys, evalharness.problems; sys.exit('huggingface_hub' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_problem_has_its_number_as_a_name_and_a_prompt_of_one_test():
    problem = mbpp.problem(ROW)
    assert mbpp.names_of(problem) == ("7",)
    assert mbpp.prompts_of(problem) == (
        '"""\nWrite a function to turn the tables.\nassert turn([one, two]) == [2, 1]\n"""\n',
    )


def test_problems_of_other_sets_have_no_other_names_and_prompts():
    other = dataclasses.replace(mbpp.problem(ROW), task_id="HumanEval/7")
    assert mbpp.names_of(other) == ()
    assert mbpp.prompts_of(other) == ()
