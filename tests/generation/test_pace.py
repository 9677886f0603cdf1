"""How fast a model writes, timed on a real batch."""

from dataclasses import dataclass

import pytest
from small_models import Letters, decoder, llama

from evalharness.generation import GREEDY, Prompting, Request, Settings, TorchGenerator, measured_pace
from evalharness.progress.time_limit import OutOfTime


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("make", [decoder, llama])
def test_the_pace_is_that_of_real_steps_with_what_surrounds_their_passes(make) -> None:
    clock, model = Clock(), make()
    generator = TorchGenerator(model, Letters(), Prompting("{prompt}", (), frozenset()), Settings(64, batch_size=4))

    def slow(module: object, given: tuple[object, ...], kwargs: dict[str, object], *_: object) -> None:
        if module is model.module:
            ids = given[0] if given else kwargs["input_ids"]
            clock.now += 2 + 0.5 * len(ids)  # seconds of a pass over so many rows

    model.module.register_forward_hook(slow, with_kwargs=True)
    pace = measured_pace(generator, [Request(str(i), 0, GREEDY, (1, 2, 3 + i), ()) for i in range(9)], clock)
    assert pace.step_s == pytest.approx(2.5)
    assert pace.token_s == pytest.approx(1.5 / 4)
    assert pace.prompt_s == pytest.approx(1.0)
    # Six rows are two batches.
    assert pace.longest_s(prompts=2, rows=6, tokens=10) == pytest.approx(2 + 2 * 10 * 2.5 + 60 * 1.5 / 4)


def test_of_one_row_alone_every_further_one_is_taken_to_cost_the_same_again() -> None:
    clock, model = Clock(), decoder()
    generator = TorchGenerator(model, Letters(), Prompting("{prompt}", (), frozenset()), Settings(64, batch_size=4))

    def slow(*_: object) -> None:
        clock.now += 4

    model.module.register_forward_hook(slow)
    pace = measured_pace(generator, [Request("0", 0, GREEDY, (1, 2, 3), ())], clock)
    assert (pace.step_s, pace.token_s) == (0.0, pytest.approx(4.0))


def test_a_trial_that_runs_out_of_time_counts_what_it_saw() -> None:
    clock, model = Clock(), decoder()
    generator = TorchGenerator(model, Letters(), Prompting("{prompt}", (), frozenset()), Settings(64, batch_size=4))

    def slow(*_: object) -> None:
        clock.now += 8
        if clock.now > 44:  # after three passes over one row, and two over four
            raise OutOfTime

    model.module.register_forward_hook(slow)
    pace = measured_pace(generator, [Request(str(i), 0, GREEDY, (1, 2, 3 + i), ()) for i in range(4)], clock)
    assert (pace.step_s, pace.token_s) == (pytest.approx(8.0), pytest.approx(0.0))
