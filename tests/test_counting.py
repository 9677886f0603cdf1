from evalharness.degeneration import analyse
from evalharness.pipeline import counting
from evalharness.records import Completion, Execution, KindRate, Verdict


def execution(task, verdict, completion_id=0):
    return Execution(task, completion_id, verdict, "", "apart", 0.1, 0.1, 1)


def test_pass_at_k_is_over_problems_and_only_for_k_that_each_has():
    found = counting.pass_at_k(
        [execution("a", Verdict.PASSED, 0), execution("a", Verdict.FAILED, 1)]
        + [execution("b", Verdict.FAILED, i) for i in range(2)],
        [4, 2, 1, 1],
    )
    assert {k: v.estimate for k, v in found.items()} == {"1": 0.25, "2": 0.5}


def test_a_prompt_that_did_not_fit_counts_as_not_passed_and_what_was_not_judged_as_nothing():
    verdicts = {"a": Verdict.PASSED, "b": Verdict.PROMPT_TOO_LONG, "c": Verdict.NOT_JUDGED}
    found = counting.pass_at_k([execution(task, verdict) for task, verdict in verdicts.items()], [1])
    assert found["1"].estimate == 0.5


def test_without_executions_there_is_no_pass_at_k():
    assert counting.pass_at_k([], [1]) == {}
    assert counting.pass_at_k([execution("a", Verdict.NOT_JUDGED)], [1]) == {}


def test_outcomes_are_counted_in_the_order_of_the_verdicts():
    found = counting.outcomes(execution("a", v) for v in (Verdict.CRASHED, Verdict.PASSED, Verdict.CRASHED))
    assert list(found.items()) == [("passed", 1), ("crashed", 2)]


def completion(task, text, reason="max_new_tokens"):
    return Completion(task, 0, text, (), reason, "greedy", ())


def test_the_share_of_degenerate_completions_leaves_out_what_was_not_begun():
    completions = [
        completion("a", "\n" * 300, "loop"),
        completion("b", "    return a + b\n", "end_token"),
        completion("c", "", "prompt_too_long"),
    ]
    analyses = [analyse(c.text, stop_reason=c.stop_reason) for c in completions]
    found = counting.degeneration_rate(completions, analyses, 0)
    assert (found.rate, found.completions) == (0.5, 2)
    assert found.kinds == {"newline": KindRate(1, 0.5, found.low, found.high)}
    assert {name: share.estimate for name, share in found.shares.items()} == {
        "ended_by_itself": 0.5,
        "parses": 0.5,
        "parses_with_prompt": 0.0,
        "loop_ran_to_limit": 0.5,
        "loop_after_answer": 0.0,
        "degenerate_without_answer": 0.5,
    }
    assert found.mutual_information is None


def test_a_loop_that_follows_a_finished_answer_is_counted_apart():
    written = [completion(str(i), "    return a + b\n" + "\n" * 300) for i in range(8)]
    written += [completion(str(i), "\n" * 300) for i in range(8, 10)]
    prompt = "def add(a, b):\n"
    found = counting.degeneration_rate(written, [analyse(c.text, prompt=prompt) for c in written], 0)
    assert found.rate == 1.0
    assert found.shares["loop_after_answer"].estimate == 0.8
    assert found.shares["degenerate_without_answer"].estimate == 0.2


def test_several_completions_a_problem_tell_how_far_they_depend_on_it():
    texts = {f"task {n}": f"    return value_{n} + other_{n}\n" for n in range(6)}
    completions = [completion(task, text, "end_token") for task, text in texts.items() for _ in range(2)]
    found = counting.degeneration_rate(
        completions, [analyse(c.text, stop_reason=c.stop_reason) for c in completions], 0
    )
    assert found.mutual_information.problems == 6
    assert found.mutual_information.own_fits_best.estimate == 1.0
    assert found.mutual_information.nats.estimate > 1.0


def test_where_nothing_was_begun_there_is_no_share():
    refused = completion("c", "", "prompt_not_encodable")
    assert counting.degeneration_rate([refused], [analyse("", stop_reason="prompt_not_encodable")], 0) is None
