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

    def slow(module: object, *_: object) -> None:
        if module is model.module:
            clock.now += 4  # seconds of a pass over four rows

    model.module.register_forward_hook(slow)
    pace = measured_pace(generator, [Request(str(i), 0, GREEDY, (1, 2, 3 + i), ()) for i in range(9)], clock)
    assert pace.token_s == pytest.approx(1.0)
    assert pace.prompt_s == pytest.approx(1.0)
    assert pace.longest_s(prompts=2, rows=6, tokens=10) == pytest.approx(62.0)


def test_a_trial_that_runs_out_of_time_counts_what_it_saw() -> None:
    clock, model = Clock(), decoder()
    generator = TorchGenerator(model, Letters(), Prompting("{prompt}", (), frozenset()), Settings(64, batch_size=4))

    def slow(*_: object) -> None:
        clock.now += 8
        if clock.now > 20:
            raise OutOfTime

    model.module.register_forward_hook(slow)
    pace = measured_pace(generator, [Request(str(i), 0, GREEDY, (1, 2, 3 + i), ()) for i in range(4)], clock)
    assert pace.token_s == pytest.approx(2.0)
