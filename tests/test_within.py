"""``--within``: a score in a bounded time says what it left out, and rules nothing out that it did not test."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from small_folder import QUICK, Run

from evalharness.errors import EvalHarnessError, SettingError
from evalharness.pipeline import fitting_time
from evalharness.pipeline.fitting_time import longest_leak_row, time_limit
from evalharness.progress import Silent
from evalharness.progress.time_limit import FOR_MODELS, OutOfTime, TimeLimit
from evalharness.runs import scorecard_json
from evalharness.settings.duration import seconds_of
from evalharness.settings.score import ScoreOptions
from evalharness.settings.values import COMMAND_LINE, read


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def limit(seconds: float = 100.0, now: float = 0.0) -> TimeLimit:
    return TimeLimit("100s", seconds, 0.0, Clock(now))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5m", 90), ("1h", 3600)])
def test_a_time_has_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(read(ScoreOptions, {"within": text}, COMMAND_LINE)["within"]) == seconds


@pytest.mark.parametrize("text", ["5", "m", "0s", "-5m", "5 min", "5d", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="--within"):
        read(ScoreOptions, {"within": text}, COMMAND_LINE)


def test_a_server_has_no_pace_that_is_known() -> None:
    assert time_limit(ScoreOptions()) is None
    with pytest.raises(EvalHarnessError, match="--within"):
        time_limit(replace(ScoreOptions(), within="5m", backend="openai"))


def test_models_stop_before_the_time_is_over_so_that_the_report_is_written_in_it() -> None:
    assert limit(now=0).share_s(0.5) == 50
    assert limit(now=FOR_MODELS * 100 - 1).share_s(0.5) == pytest.approx(1)
    assert not limit(now=FOR_MODELS * 100 - 1).is_over
    over = limit(now=FOR_MODELS * 100)
    assert over.is_over
    assert over.share_s(0.5) == 0
    with pytest.raises(OutOfTime):
        over.check()


def test_a_model_and_its_copies_stop_once_the_time_is_over() -> None:
    import torch

    from evalharness.models.torch.model import UncachedModel
    from evalharness.models.torch.stopping import stopped_by

    model = UncachedModel(torch.nn.Embedding(4, 4), context_length=8, vocabulary_rows=4)
    ids, clock = torch.tensor([[1, 2]]), Clock()
    with stopped_by(TimeLimit("1s", 1, 0.0, clock), model, None):
        twin = copy.deepcopy(model)
        model.logits(ids)
        clock.now = 1.0
        for one in (model, twin):
            with pytest.raises(OutOfTime):
                one.logits(ids)
    model.logits(ids)
    with stopped_by(None, model):
        model.logits(ids)


@dataclass
class Chosen:
    """What is chosen of a work."""

    options: ScoreOptions
    sets: list = field(default_factory=list)
    limit: TimeLimit | None = field(default_factory=limit)
    watcher: Silent = field(default_factory=Silent)


@dataclass(frozen=True)
class Set:
    problems: tuple[int, ...]


@pytest.mark.parametrize(
    ("allowed_s", "limit", "samples"),
    [(500, None, 4), (250, 50, 4), (50, 10, 4), (30, 10, 2), (15, 10, 0), (7, 7, 0), (0.5, 1, 0)],
)
def test_problems_are_left_out_first_then_samples_then_more_problems(monkeypatch, allowed_s, limit, samples) -> None:
    # A completion takes a second.
    monkeypatch.setattr(fitting_time, "_longest_s", lambda work, settings, problems, samples: problems * (1 + samples))
    monkeypatch.setattr(fitting_time, "load_problem_sets", lambda options: [options.limit])
    work = Chosen(ScoreOptions(samples=4), [Set(tuple(range(100)))])
    fitting_time._fit_completions(work, None, allowed_s)
    assert (work.options.limit, work.options.samples) == (limit, samples)
    assert (work.sets == [limit]) is (limit is not None)


@pytest.mark.parametrize(("token_s", "longest"), [(1e-9, 1024), (0.0025, 500), (1.0, 128)])
def test_a_leak_is_sought_in_rows_as_long_as_there_is_time_for(monkeypatch, token_s: float, longest: int) -> None:
    monkeypatch.setattr(fitting_time, "token_s", lambda work: token_s)
    assert longest_leak_row(Chosen(ScoreOptions()), 1024) == longest
    assert longest_leak_row(Chosen(ScoreOptions(), limit=None), 1024) == 1024


def test_a_slow_model_is_scored_in_part_and_what_was_not_reached_is_not_ruled_out(run: Run, model_folder: Path) -> None:
    code = (model_folder / "my_model.py").read_text()
    forward = "        x = self.embedding(ids)"
    slow = code.replace(forward, f"        __import__('time').sleep(0.03)\n{forward}")
    assert slow != code
    (model_folder / "my_model.py").write_text(slow)
    done = run("score", "mine/model.pt", *QUICK, "--k", "1", "--within", "2s")
    assert done.returncode == 0, done.stderr
    card = scorecard_json.from_json((model_folder.parent / "reports" / "mine" / "final" / "scorecard.json").read_text())
    assert card.protocol.settings["within"] == "2s"
    assert card.protocol.settings["limit"] == sum(s.problems for s in card.protocol.problems)
    assert card.protocol.samples == 0
    late = {outcome.probe for outcome in card.not_testable if outcome.kind == "no_time"}
    assert late
    assert not late & {outcome.probe for outcome in card.ruled_out}
    assert card.incomplete == ()


def test_a_diagnosis_with_time_enough_is_the_same_as_without_a_limit(run: Run, model_folder: Path) -> None:
    whole, limited = (
        json.loads(run("diagnose", "mine/model.pt", "--problems", "mine/own.jsonl", "--json", *more).stdout)
        for more in ((), ("--within", "1h"))
    )
    assert whole["ruled_out"] == limited["ruled_out"]
    assert whole["not_testable"] == limited["not_testable"]
    assert whole["loss"]["honest_nats"] == limited["loss"]["honest_nats"]
