"""``--within``: a score in a bounded time says what it left out, and rules nothing out that it did not test."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from small_folder import QUICK, Run

from evalharness.errors import EvalHarnessError, SettingError
from evalharness.generation import GREEDY, Decoding, Pace, Request, Settings
from evalharness.pipeline import fitting_time
from evalharness.pipeline.completing import quickly_read
from evalharness.pipeline.completing_in_time import kept_whole, longest_completing_s, make_in_time, waves
from evalharness.pipeline.fitting_time import longest_leak_row, time_limit
from evalharness.pipeline.work import Work
from evalharness.problems import ProblemSet, load_problems
from evalharness.progress import Silent
from evalharness.progress.time_limit import FOR_MODELS, OutOfTime, TimeLimit
from evalharness.runs import scorecard_json
from evalharness.settings.amounts import seconds_of
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
    assert time_limit(ScoreOptions(), 0.0) is None
    with pytest.raises(EvalHarnessError, match="--within"):
        time_limit(replace(ScoreOptions(), within="5m", backend="openai"), 0.0)


def test_the_time_runs_from_the_call_on() -> None:
    begun = time_limit(replace(ScoreOptions(), within="5m"), 7.0)
    assert (begun.begun, begun.seconds) == (7.0, 300)


def test_models_stop_before_the_time_is_over_so_that_the_report_is_written_in_it() -> None:
    assert limit(now=0).share_s(0.5) == 50
    assert limit(now=FOR_MODELS * 100 - 1).share_s(0.5) == pytest.approx(1)
    assert not limit(now=FOR_MODELS * 100 - 1).is_over
    over = limit(now=FOR_MODELS * 100)
    assert over.is_over
    assert over.share_s(0.5) == 0
    with pytest.raises(OutOfTime):
        over.check()


def test_a_part_of_the_time_ends_where_it_was_said_to_and_never_after_the_whole() -> None:
    whole = limit(now=20)
    part = whole.part(30)
    assert part.left_s == pytest.approx(30)
    assert whole.part(1000).left_s == pytest.approx(whole.left_s)
    whole.clock.now = 50
    assert part.is_over
    assert not whole.is_over


def test_the_time_is_exceeded_only_after_all_of_it() -> None:
    assert limit(now=99).exceeded_s == 0
    assert limit(now=126).exceeded_s == 26


def test_completions_leave_a_third_of_what_is_left_to_what_follows() -> None:
    assert longest_completing_s(limit(now=0)) == 50
    assert longest_completing_s(limit(now=60)) == pytest.approx(20)
    assert longest_completing_s(limit(now=95)) == 0


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
    monkeypatch.setattr(fitting_time, "load_problem_sets", lambda options: [options.limit])
    monkeypatch.setattr(fitting_time, "longest_completing_s", lambda limit: allowed_s)
    work = Chosen(ScoreOptions(samples=4), [Set(tuple(range(100)))])
    a_second_each = Pace(prompt_s=0.0, step_s=0.0, token_s=0.1, batch_size=8)
    fitting_time.fit_completions(work, Settings(max_new_tokens=10), a_second_each)
    assert (work.options.limit, work.options.samples) == (limit, samples)
    assert (work.sets == [limit]) is (limit is not None)


@pytest.mark.parametrize(("made", "limit_", "samples"), [((0, 1, 3), 1, 1), ((0, 3, 1, 4), 2, 1), ((), 1, 0)])
def test_only_the_first_problems_that_are_whole_are_kept(made, limit_: int, samples: int) -> None:
    every = load_problems("warmup", environment={}).problems
    sets = [ProblemSet("s", every[:3], ""), ProblemSet("t", every[3:6], "")]
    wanted = {
        (s.name, decoding.name): [Request(problem.task_id, 0, decoding, (1,), ()) for problem in s.problems]
        for s in sets
        for decoding in (GREEDY, Decoding("sampled", 1.0, None, None))
    }
    done = {(every[i].task_id, decoding, 0) for i in made for decoding in ("greedy", "sampled")}
    done.add((every[2].task_id, "greedy", 0))
    work = Work(None, None, None, ScoreOptions(samples=1), sets, Silent(), [], None, None, limit=limit())
    kept = kept_whole(work, wanted, done)
    assert (work.options.limit, work.options.samples) == (limit_, samples)
    assert [len(s.problems) for s in work.sets] == [limit_, limit_]
    assert len(kept) == (4 if samples else 2)
    assert {r.task_id for requests in kept.values() for r in requests} == set(work.problems)


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


@dataclass(frozen=True)
class NoModule:
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Checkpointed:
    model: NoModule = NoModule()


WARMUP = load_problems("warmup", environment={}).problems


def rows_of(sets: list[ProblemSet]) -> list[Request]:
    return [Request(problem.task_id, 0, GREEDY, (1,), ()) for s in sets for problem in s.problems]


def limited(sets: list[ProblemSet], clock: Clock, token_s: float = 1.0, step_s: float = 0.0) -> Work:
    work = Work(None, Checkpointed(), None, ScoreOptions(), sets, Silent(), [], None, None)
    work.limit = TimeLimit("100s", 100, 0.0, clock)
    work.pace = Pace(0.0, step_s, token_s, batch_size=8)
    return work


@dataclass
class Made:
    """Makes completions, each in its seconds."""

    clock: Clock
    seconds: float
    waves: list[list[str]] = field(default_factory=list)

    def __call__(self, wave: list[Request]) -> Iterator[str]:
        self.waves.append([])
        for request in wave:
            self.clock.now += self.seconds
            self.waves[-1].append(request.task_id)
            yield request.task_id


@pytest.mark.parametrize(
    ("token_s", "step_s", "seconds", "sizes"),
    [
        (1.0, 0.0, 1.0, [5, 5]),
        (1.0, 0.0, 10.0, [5]),
        (1.0, 0.0, 8.0, [5, 1]),
        (0.1, 0.0, 1.0, [8, 2]),
        (5.0, 0.0, 1.0, [1, 8, 1]),
        (5.0, 0.0, 6.0, [1, 7]),
        (0.2, 4.0, 1.0, [5, 5]),  # a step has one price for all its rows: 40 seconds, and 2 for each of them
    ],
)
def test_the_first_wave_is_what_fits_at_worst_and_later_ones_go_by_what_was_seen(
    token_s, step_s, seconds, sizes
) -> None:
    clock = Clock()
    sets = [ProblemSet("s", WARMUP[:10], "")]
    make, work = Made(clock, seconds), limited(sets, clock, token_s, step_s)
    make_in_time(work, Settings(max_new_tokens=10, batch_size=8), make, rows_of(sets))
    assert list(map(len, make.waves)) == sizes
    assert [task for wave in make.waves for task in wave] == [p.task_id for p in WARMUP[: sum(sizes)]]


def test_the_first_wave_has_all_the_time_that_is_left_and_no_more() -> None:
    clock = Clock()
    sets = [ProblemSet("s", WARMUP[:8], "")]
    make = Made(clock, seconds=30)
    make_in_time(limited(sets, clock, token_s=0.1), Settings(max_new_tokens=10, batch_size=8), make, rows_of(sets))
    assert make.waves == [[problem.task_id for problem in WARMUP[:3]]]


@pytest.mark.parametrize(("seconds", "problems"), [(0.0, 1), (3.0, 3), (3.5, 3), (100.0, 8)])
def test_a_trial_is_of_the_problems_whose_prompts_are_quickly_read(seconds: float, problems: int) -> None:
    sets = [ProblemSet("s", WARMUP[:8], "")]
    work = limited(sets, Clock())
    work.token_s = 0.1
    requests = [replace(request, prompt_ids=(place,) * 10) for place, request in enumerate(rows_of(sets))]
    few = quickly_read(work, requests, seconds)
    assert [request.task_id for request in few] == [problem.task_id for problem in WARMUP[:problems]]


def test_a_wave_has_all_completions_of_its_problems() -> None:
    sets = [ProblemSet("s", WARMUP[:5], ""), ProblemSet("t", WARMUP[5:8], "")]
    requests = [*rows_of(sets), *(replace(request, completion_id=1) for request in rows_of(sets))]
    work = limited(sets, Clock(), token_s=1e-9)
    tasks = [{r.task_id for r in wave} for wave in waves(work, Settings(8, batch_size=8), requests, work.limit)]
    assert tasks == [{WARMUP[i].task_id for i in wave} for wave in ((0, 5, 1, 6), (2, 7, 3, 4))]


def test_a_diagnosis_with_time_enough_is_the_same_as_without_a_limit(run: Run, model_folder: Path) -> None:
    whole, limited = (
        json.loads(run("diagnose", "mine/model.pt", "--problems", "mine/own.jsonl", "--json", *more).stdout)
        for more in ((), ("--within", "1h"))
    )
    assert whole["ruled_out"] == limited["ruled_out"]
    assert whole["not_testable"] == limited["not_testable"]
    assert whole["loss"]["honest_nats"] == limited["loss"]["honest_nats"]
