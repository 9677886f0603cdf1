"""Portions of work for processes that end, hang on to nothing, or can't be started. The processes are real ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalharness.errors import EvaluationError
from evalharness.pipeline.spreading.fleet import Abandoned, Fleet, Lost
from evalharness.pipeline.spreading.local_process import LocalHost


@dataclass(frozen=True)
class Doubler:
    """Doubles numbers. A negative one ends the process the first time that it comes, a 0 each time; 13 is an error."""

    marks: Path

    def __call__(self) -> Doubler:
        return self

    def work(self, items: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
        for key, number in items.items():
            if number == 13:
                raise EvaluationError("13 can't be doubled")
            if number == 0 or (number < 0 and self._is_first(key)):
                os.kill(os.getpid(), signal.SIGKILL)
            yield {key: 2 * number}

    def _is_first(self, key: str) -> bool:
        try:
            (self.marks / key).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@pytest.fixture
def fleet(tmp_path) -> Iterator[Fleet[int, int]]:
    with Fleet[int, int](LocalHost(lambda _: Doubler(tmp_path), {}), 2) as made:
        yield made


def test_what_a_lost_process_had_not_done_is_done_again(fleet) -> None:
    portions = [{"a": 1, "b": -2, "c": -3}, {"d": 4}, {"e": 5, "f": -6}]
    assert dict(fleet.run(portions)) == {"a": 2, "b": -4, "c": -6, "d": 8, "e": 10, "f": -12}


def test_a_portion_that_ends_its_process_twice_is_given_up_and_the_others_are_done(fleet) -> None:
    done = dict(fleet.run([{"a": 1, "bad": 0, "after": 2}, {"b": 2}, {"c": 3}]))
    assert done == {
        "a": 2,
        "b": 4,
        "c": 6,
        "bad": Abandoned("killed by SIGKILL"),
        "after": Abandoned("killed by SIGKILL"),
    }


def test_portions_are_taken_as_processes_get_free(fleet) -> None:
    taken = []

    def portions() -> Iterator[dict[str, int]]:
        for number in range(1, 9):
            taken.append(number)
            yield {str(number): number}

    arriving = fleet.run(portions())
    next(arriving)
    assert len(taken) <= 3
    assert len(list(arriving)) == 7


def test_a_process_has_its_next_portion_before_its_results_are_looked_at(tmp_path) -> None:
    taken = []

    def portions() -> Iterator[dict[str, int]]:
        for number in range(1, 5):
            taken.append(number)
            yield {str(number): number}

    with Fleet[int, int](LocalHost(lambda _: Doubler(tmp_path), {}), 1) as one:
        arriving = one.run(portions())
        assert next(arriving) == ("1", 2)
        assert taken == [1, 2]


def test_an_error_of_the_work_itself_is_raised_here(fleet) -> None:
    with pytest.raises(EvaluationError, match=r"^13 can't be doubled$"):
        list(fleet.run([{"a": 13}]))


@dataclass(frozen=True)
class RoomForOne:
    """A host on which a single process can be started."""

    host: LocalHost

    def start(self, number: int):
        if number > 0:
            raise Lost("no room")
        return self.host.start(number)

    def wait(self, members):
        return self.host.wait(members)


def test_without_room_for_all_the_others_do_the_work(tmp_path) -> None:
    with Fleet[int, int](RoomForOne(LocalHost(lambda _: Doubler(tmp_path), {})), 3) as fleet:
        assert dict(fleet.run([{str(n): n} for n in (1, 2, 3, 4)])) == {"1": 2, "2": 4, "3": 6, "4": 8}


def test_without_any_room_all_is_given_up() -> None:
    fleet: Fleet[int, int] = Fleet(NoRoom(), 2)
    assert dict(fleet.run([{"a": 1}, {"b": 2}])) == {"a": Abandoned("no room"), "b": Abandoned("no room")}


class NoRoom:
    """A host on which nothing can be started."""

    def start(self, number: int):
        raise Lost("no room")

    def wait(self, members):
        return ()
