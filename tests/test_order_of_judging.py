"""The order in which programs are given to the workers: those that may take seconds first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalharness.pipeline.judges import ORDERED, dearest_first
from evalharness.records import Problem
from evalharness.sandbox import Job

SECONDS = {"unknown": 0.0, "quick": 0.1, "slow": 1.0, "slower": 2.0}


def job(task_id, number):
    return Job(task_id, number, Problem(task_id, "", "f", "", ""), "")


@given(st.lists(st.sampled_from(sorted(SECONDS)), max_size=40))
def test_the_dearest_come_first_and_those_alike_keep_their_order(names):
    jobs = [job(name, number) for number, name in enumerate(names)]
    given_out = list(dearest_first(jobs, lambda problem: SECONDS[problem.task_id]))
    unknown = [job for job in jobs if job.task_id == "unknown"]
    known = [job for job in jobs if job.task_id != "unknown"]
    assert given_out == [*unknown, *sorted(known, key=lambda job: (-SECONDS[job.task_id], job.completion_id))]


def test_no_more_are_held_than_said():
    taken = []

    def jobs():
        for number in range(3 * ORDERED):
            taken.append(number)
            yield job("quick", number)

    first = next(dearest_first(jobs(), lambda _: 0.1))
    assert (first.completion_id, len(taken)) == (0, ORDERED + 1)
