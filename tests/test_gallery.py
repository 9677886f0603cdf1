"""The gallery of public failures: each case has its parts, and quick ones are made, diagnosed and judged end to end."""

import ast
import json
import os
import subprocess
import sys

import pytest
from documentation import WORDS
from small_folder import ROOT

sys.path.append(str(ROOT / "benchmarks"))
from fair_draw import CONDITIONS, LATER, read_draws
from gallery_cases import GALLERY, Case, Named, Right, Said, cases, read_case

FULL = bool(os.environ.get("EVALHARNESS_FULL"))
QUICK = ["tied_in_code_alone", *(["softmax_twice", "sound_small_gpt"] if FULL else [])]
FOLDERS = sorted(path.parent for path in GALLERY.glob("*/case.toml"))
LEAK = Right("future_leak", {"place": {"mixing": "convolution"}}, ("length",))


def finding(probe, severity="cause", **evidence):
    return Named(probe, severity, "A claim.", evidence)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_case_names_its_report_and_its_cause_once(folder):
    case = read_case(folder)
    docstring = ast.get_docstring(ast.parse((folder / "make.py").read_text(encoding="utf-8")))
    assert docstring.startswith(f"{case.report}: ")
    assert case.is_sound == folder.name.startswith("sound_")


@pytest.mark.parametrize("draw", read_draws(), ids=lambda draw: draw.name)
def test_each_thread_of_a_fair_draw_became_a_case_or_failed_a_condition(draw):
    made = {fate for fate in draw.threads.values() if fate not in {*CONDITIONS, LATER}}
    assert made == set(draw.first)
    assert made <= {folder.name for folder in FOLDERS}
    assert draw.passed_over.total() == len(draw.threads) - len(made) - draw.not_reached


def test_no_failure_was_drawn_twice():
    drawn = [case for draw in read_draws() for case in draw.first]
    assert len(drawn) == len(set(drawn))


def test_there_are_sound_models_and_many_faults():
    every = cases()
    assert {case.folder for case in every} == set(FOLDERS)
    assert sum(case.is_sound for case in every) >= 4
    assert len(every) >= 16


def test_a_case_is_not_told_to_evalharness():
    written = [path.read_text(encoding="utf-8") for path in GALLERY.rglob("*.py")]
    assert not [text for text in written if "[loss]" in text]


@pytest.mark.parametrize(
    ("first", "right"),
    [
        (finding("future_leak", place={"mixing": "convolution", "module": "blocks.0"}, length=7), True),
        (finding("future_leak", place={"mixing": "attention"}, length=7), False),
        (finding("future_leak", place={"mixing": "convolution"}), False),
        (finding("future_leak", length=7), False),
        (finding("undertrained", place={"mixing": "convolution"}, length=7), False),
    ],
)
def test_a_cause_is_named_by_the_probe_and_by_its_evidence(first, right):
    case = Case("one", "https://one", "A cause.", "held-back", (LEAK,))
    assert case.is_right(Said(0, (first, finding("overfit")))) is right
    assert not case.is_right(Said(0, (finding("overfit"), first)))


def test_a_refusal_names_the_tensors():
    case = Case("one", "https://one", "A cause.", "held-back", (Right(refused_over=("head.weight",)),))
    assert case.is_right(Said(2, error="step_1.pt: the file lacks 2 (tokens.weight, head.weight)"))
    assert not case.is_right(Said(2, error="step_1.pt: the file lacks head.weights"))
    assert not case.is_right(Said(3, error="step_1.pt: the file lacks head.weight"))


def test_a_sound_model_may_have_notes_alone():
    case = Case("one", "https://one", "Nothing.", "held-back", ())
    assert case.is_right(Said(0))
    assert case.is_right(Said(0, (finding("context", "note"),)))
    assert not case.is_right(Said(0, (finding("context", "note"), finding("overfit", "contributing"))))
    assert not case.is_right(Said(2, error="refused"))


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ("sound = true\n[[right]]\nprobe = 'overfit'\n", "sound"),
        ("", "sound"),
        ("sound = true\nwhy = 1\n", "why"),
        ("[[right]]\nprobe = 'overfit'\nrefused_over = ['a']\n", "refused_over"),
    ],
)
def test_a_faulty_case_is_refused_in_one_line(tmp_path, more, part):
    text = f'report = "https://one"\ncause = "A cause."\nhalf = "development"\n{more}'
    (tmp_path / "case.toml").write_text(text)
    with pytest.raises(SystemExit) as refused:
        read_case(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_quick_cases_are_made_diagnosed_and_judged_and_not_done_twice(tmp_path):
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    command = [sys.executable, "benchmarks/gallery.py", "--cases", ",".join(QUICK)]
    command += ["--results", str(results), "--page", str(page)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=900)
    first = results.read_bytes()
    assert set(json.loads(first)) == set(QUICK)
    rows = [row for name in QUICK for row in page.read_text(encoding="utf-8").splitlines() if f"| `{name}` |" in row]
    assert [row.split("|")[-2].strip() for row in rows] == ["yes"] * len(QUICK)
    again = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert results.read_bytes() == first
    assert again.stderr.count("right") == len(QUICK)


def test_the_page_has_every_case():
    assert [case.name for case in cases() if f"`{case.name}`" not in WORDS] == []
