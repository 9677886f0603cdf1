"""Completions read back from the folders of scores, and the page on which several stand side by side."""

from __future__ import annotations

import json
import shutil
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from page_reader import Page
from shipped_records import shipped_records
from small_folder import QUICK, Run

from evalharness.commands.group import cli
from evalharness.errors import StoreError
from evalharness.pipeline import renew_report, view
from evalharness.pipeline.browsing import browser_of
from evalharness.problems import load_problems
from evalharness.runs import paths, scorecard_json, shown_beside
from evalharness.runs.folder import RunFolder
from evalharness.runs.record_rows import read_completions


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Both shipped runs, each at two steps, without humaneval."""
    for run in ("leaky", "causal"):
        for step in ("step_200", "step_1000"):
            ignored = shutil.ignore_patterns("humaneval.*")
            shutil.copytree(shipped_records() / run / step, tmp_path / run / step, ignore=ignored)
    return tmp_path


def test_a_score_leaves_a_page_with_all_that_was_written(run: Run, model_folder: Path) -> None:
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 0, done.stderr
    folder = model_folder.parent / "reports" / "mine" / "final"
    (problem, *others) = browser_of({"mine": folder}).problems
    assert len(others) == 2
    assert problem.prompt is not None
    assert problem.expected is not None
    for completion in problem.completions:
        assert completion.verdict
        assert "".join(token.text for token in completion.tokens) == completion.text
        assert all(token.entropy_nats is not None for token in completion.tokens)
    page = (folder / paths.REPORT_PAGE).read_text()
    assert all(f'id="own/{p.task_id}/greedy/0"' in page for p in (problem, *others))


def test_steps_of_a_run_stand_side_by_side(runs: Path) -> None:
    page = view([runs / "leaky"])
    assert page == runs / "leaky" / "view" / "report.html"
    (problem, *_) = browser_of({str(step): runs / "leaky" / f"step_{step}" for step in (200, 1000)}).problems
    assert {completion.column for completion in problem.completions} == {0, 1}
    text = page.read_text()
    assert text.index("step 200") < text.index("step 1,000")
    assert f'id="warmup/{problem.task_id}/greedy/0/1"' in text


def test_of_several_runs_the_last_step_of_each_is_shown(runs: Path) -> None:
    text = view([runs / "leaky", runs / "causal"], out=runs / "both").read_text()
    assert "leaky, step 1,000" in text
    assert "causal, step 1,000" in text
    assert "step 200" not in text


def test_steps_can_be_named(runs: Path) -> None:
    assert "step 1,000" not in view([runs / "leaky", runs / "causal"], steps=[200]).read_text()
    with pytest.raises(StoreError, match="step 300 was not scored; it has 200, 1000"):
        view([runs / "leaky"], steps=[200, 300])


def test_the_page_of_one_checkpoint_is_its_report(runs: Path) -> None:
    step = runs / "leaky" / "step_1000"
    made = view([step])
    assert made == step / "view" / "report.html", "an older version wrote none"
    (step / paths.REPORT_PAGE).write_text("its own")
    assert view([step]) == view([runs / "leaky"], steps=[1000]) == step / paths.REPORT_PAGE


def test_the_page_of_one_checkpoint_that_has_none_says_its_verdict_and_cause(runs: Path) -> None:
    page = Page(view([runs / "leaky" / "step_1000"]).read_text())
    (heading,) = page.of("h1")
    assert heading.text == "leaky, step 1,000"
    assert {"What to do", "Cause"} <= {strong.text for strong in page.of("strong")}


def test_problems_that_were_not_recorded_are_read_again(runs: Path) -> None:
    problems = browser_of({"causal": runs / "causal" / "step_200"}).problems
    own = {problem.task_id: problem for problem in load_problems("warmup", environment={}).problems}
    assert [(p.prompt, p.expected) for p in problems] == [
        (own[p.task_id].prompt, own[p.task_id].canonical_solution) for p in problems
    ]


def test_records_without_prompts_and_texts_of_tokens_are_shown_without_them(runs: Path) -> None:
    folder = runs / "causal" / "step_200"
    card = scorecard_json.read(folder)
    others = tuple(replace(info, digest="0" * 64) for info in card.protocol.problems)
    card = replace(card, protocol=replace(card.protocol, problems=others))
    (folder / paths.SCORECARD).write_text(scorecard_json.to_json(card))
    written = read_completions(folder, paths.Group("warmup", "greedy"))
    problems = browser_of({"causal": folder}).problems
    assert [p.completions[0].text for p in problems] == [c.text for c in written]
    assert {(p.prompt, p.expected) for p in problems} == {(None, None)}
    assert not any(c.tokens for p in problems for c in p.completions)


def test_broken_texts_of_tokens_are_named(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        shown_beside.write_token_texts(folder, {5: "\ud800", 2: "a"})
        assert shown_beside.read_token_texts(tmp_path) == {2: "a", 5: "\ud800"}
        folder.write(paths.IDS_AS_TEXT, "[1]")
    with pytest.raises(StoreError, match=r"tokens\.json: broken"):
        shown_beside.read_token_texts(tmp_path)


def test_parts_of_an_earlier_page_go(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.write_pages({paths.REPORT_PAGE: "a", paths.page_part(1): "b", paths.page_part(2): "c"})
        folder.write_pages({paths.REPORT_PAGE: "a", paths.page_part(1): "d"})
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["completions_1.html", "report.html"]


def test_the_command_opens_a_page_only_where_there_is_a_display(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    asked = ["view", str(runs / "causal")]
    page = runs / "causal" / "view" / "report.html"
    assert CliRunner().invoke(cli, asked).stdout.strip() == str(page)
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    CliRunner().invoke(cli, [*asked, "--no-open"])
    assert opened == []
    CliRunner().invoke(cli, asked)
    assert opened == [page.as_uri()]


def test_the_page_of_a_run_leads_to_those_of_its_steps(runs: Path) -> None:
    (runs / "leaky" / "step_1000" / paths.REPORT_PAGE).write_text("its own")
    renew_report(runs / "leaky")
    page = Page((runs / "leaky" / paths.REPORT_PAGE).read_text())
    links = {link.attributes["href"] for link in page.of("a") if not link.attributes["href"].startswith("#")}
    assert links == {"step_1000/report.html"}, "an older version wrote none for step 200"


def test_a_folder_without_a_score_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing: no scorecard\.json in it"):
        view([tmp_path / "nothing"])


def test_a_page_is_never_older_than_its_records(runs: Path) -> None:
    folder = runs / "causal" / "step_200"
    view([folder, runs / "leaky"], out=runs / "v")
    file = folder / paths.Group("warmup", "greedy").completions
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["completion"] = "    return changed_since\n"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "changed_since" in view([folder, runs / "leaky"], out=runs / "v").read_text()
