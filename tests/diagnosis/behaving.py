"""Small models that write: problems for them, and what they were seen to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from small_training import data_rows

from evalharness.degeneration import CompletionText, analyse_all, checkpoint_verdict
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.subject import Observed, Subject
from evalharness.models.protocols import TorchModel
from evalharness.records import Completion, Problem
from evalharness.statistics import wilson

NEW_TOKENS = 80
PROBLEMS = 20


def problem(number: int, row: DataRow) -> Problem:
    return Problem(f"small/{number}/{row.prompt.strip()}", row.prompt, None, row.completion, "")


def unseen_problems(count: int = PROBLEMS) -> tuple[Problem, ...]:
    """Functions of the same kind that are in neither split."""
    known = {row for seed in (1, 2) for row in data_rows(200, seed)}
    rows = [row for row in dict.fromkeys(data_rows(400, 3)) if row not in known]
    return tuple(problem(i, row) for i, row in enumerate(rows[:count]))


def seen_problems(count: int = PROBLEMS) -> tuple[Problem, ...]:
    """Functions that the model was trained on."""
    return tuple(problem(i, row) for i, row in enumerate(list(dict.fromkeys(data_rows(200, 1)))[:count]))


def writer(
    model: TorchModel, end_ids: frozenset[int], *, sample: bool = False
) -> Callable[[Sequence[Sequence[int]], int], list[tuple[int, ...]]]:
    """Completes prompts up to an end token (which is left out), those of one length together."""

    def write(prompts: Sequence[Sequence[int]], new_tokens: int) -> list[tuple[int, ...]]:
        found: dict[int, tuple[int, ...]] = {}
        for length in sorted(set(map(len, prompts))):
            members = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
            ids = torch.tensor([list(prompts[i]) for i in members])
            generator = torch.Generator().manual_seed(length)
            for _ in range(new_tokens):
                if model.context_length is not None and ids.shape[1] >= model.context_length:
                    break
                logits = model.logits(ids)[:, -1]
                chances = torch.softmax(logits, dim=-1)
                chosen = torch.multinomial(chances, 1, generator=generator) if sample else logits.argmax(-1)[:, None]
                ids = torch.cat([ids, chosen], dim=1)
                if all(any(t in end_ids for t in row[length:]) for row in ids.tolist()):
                    break
            for i, row in zip(members, ids.tolist(), strict=True):
                new = row[length:]
                end = next((n for n, token_id in enumerate(new) if token_id in end_ids), len(new))
                found[i] = tuple(new[:end])
        return [found[i] for i in range(len(prompts))]

    return write


def observing(subject: Subject, problems: Sequence[Problem] | None = None) -> Subject:
    """The same subject with problems, a generator, what it writes greedily and by sampling, and the verdict on it."""
    from dataclasses import replace

    problems = unseen_problems() if problems is None else tuple(problems)
    limit = subject.model.context_length or 10**9
    prompts = []
    for p in problems:
        text = subject.prompt_template.replace("{prompt}", p.prompt)
        prompts.append((*subject.begin_ids, *subject.tokenizer.encode(text)))
    fitting = [(p, ids) for p, ids in zip(problems, prompts, strict=True) if len(ids) < limit]
    observed: list[Observed] = []
    shares = {}
    for decoding in ("greedy", "sampled"):
        write = writer(subject.model, subject.end_ids, sample=decoding == "sampled")
        made = write([ids for _, ids in fitting], NEW_TOKENS)
        completions = []
        for (p, ids), new in zip(fitting, made, strict=True):
            full = len(ids) + len(new) >= limit
            reason = "max_new_tokens" if len(new) == NEW_TOKENS else "context_full" if full else "end_token"
            text = subject.tokenizer.decode(new)
            completions.append(Completion(p.task_id, 0, text, new, reason, decoding, (0.0,) * len(new)))
        written = [
            CompletionText(c.text, c.token_ids, None, c.stop_reason, p.prompt, p.task_id)
            for c, (p, _) in zip(completions, fitting, strict=True)
        ]
        found = analyse_all(written, subject.tokenizer.decode)
        shares[decoding] = wilson(sum(a.degenerate for a in found), len(found))
        observed += [
            Observed(p, c, a, c.text.strip() == p.canonical_solution.strip())
            for (p, _), c, a in zip(fitting, completions, found, strict=True)
        ]
    return replace(
        subject,
        problems=tuple(problems),
        observed=tuple(observed),
        verdict=checkpoint_verdict(shares["greedy"], shares["sampled"]).verdict,
        generate=writer(subject.model, subject.end_ids),
    )
