import math
from dataclasses import replace
from random import Random

import pytest
import torch
from golden_text import MEASURED
from plants_losses import LOSS_PROBES, logged
from scripted import Scripted, split
from small_training import CONTEXT, PAD, VOCABULARY, Characters, data_rows, encoded, plain, subject, wrapped
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.data.rows import DataRow, tokenize
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.losses.breakdown import loss_breakdown
from evalharness.diagnosis.losses.honest import paired_loss
from evalharness.diagnosis.losses.padded_layouts import PADDED_ROWS
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.losses.token_bytes import text_bytes
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.label_shift import batch_offsets
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.overfit import overfit
from evalharness.diagnosis.probes.undertrained import undertrained
from evalharness.diagnosis.subject import Split
from evalharness.records import Finding, LossPoint, NotTestable, RuledOut


def module(seed=0):
    torch.manual_seed(seed)
    return plain().eval().requires_grad_(requires_grad=False)


def few_rows(count, **more):
    """A subject whose validation has so few rows that all are measured."""
    rows = data_rows(count, 2)
    split = Split(tuple(rows), encoded(rows, end=True), "validation.jsonl")
    return replace(subject(module(), end=True), validation=split, **more)


def found(of, **how):
    wanted = {"prompt": True, "padding": False, "end": True, "smoothing": 0.0, "by_row": False, "shift": 1} | how
    conventions = Measured(of).conventions
    return [c for c in conventions if all(getattr(c.convention, name) == value for name, value in wanted.items())]


def reference(rows, *, smoothing=0.0, padding=False, first=None, length=96, end=True):
    """The same, as a training loop has it."""
    tested, ids, targets = module(), [], []
    for row in rows:
        own = row.ids if end else row.ids[:-1]
        whole = torch.tensor([*own, *[PAD] * (length - len(own))])
        target = whole[1:].clone()
        target[len(own) - 1 :] = PAD if padding else -100
        target[: (row.prompt_tokens if first is None else first) - 1] = -100
        ids.append(whole[:-1])
        targets.append(target)
    logits = tested(torch.stack(ids)).flatten(0, 1).double()
    return float(
        functional.cross_entropy(logits, torch.stack(targets).flatten(), ignore_index=-100, label_smoothing=smoothing)
    )


def test_conventions_give_what_training_loops_compute():
    of = few_rows(20)
    rows = of.validation.encoded
    cases = {
        (): reference(rows, first=1),
        (("prompt", False),): reference(rows),
        (("smoothing", 0.1),): reference(rows, first=1, smoothing=0.1),
        (("prompt", False), ("smoothing", 0.2)): reference(rows, smoothing=0.2),
        (("end", False),): reference(rows, first=1, end=False),
        (("padding", True),): reference(rows, first=1, padding=True),
    }
    for how, expected in cases.items():
        estimates = [c.loss_nats.estimate for c in found(of, **dict(how))]
        assert any(e == pytest.approx(expected, abs=2e-5) for e in estimates), (how, expected, estimates)


def test_a_logged_figure_is_reproduced_by_the_convention_that_it_was_computed_with():
    of = few_rows(20)
    loss = reference(of.validation.encoded, smoothing=0.1)
    nearest = reproducing(Measured(of).conventions, loss)[0].convention
    assert (nearest.prompt, nearest.smoothing, nearest.padding) == (False, 0.1, False)
    assert reproducing(Measured(of).conventions, 40.0) == ()


def test_what_the_manifest_declares_is_among_the_conventions():
    of = few_rows(8)
    assert not found(of, smoothing=0.37)
    declared = replace(of.declared, label_smoothing=0.37)
    assert found(replace(of, declared=declared), smoothing=0.37)


def test_the_cost_is_bounded():
    of, passes = subject(module(), end=True), []
    forward = of.model.logits
    of.model.logits = lambda ids: passes.append(len(ids)) or forward(ids)
    assert Measured(of).conventions
    assert sum(passes) <= 3 * len(of.validation.encoded) + 4 * PADDED_ROWS


def test_bits_per_byte_are_over_the_bytes_of_the_text_and_an_end_token_has_none():
    of = few_rows(10)
    (own,) = (c for c in found(of) if c.as_given)
    written = sum(len(of.tokenizer.decode(row.ids[1:-1])) for row in of.validation.encoded)
    assert own.bits_per_byte == pytest.approx(own.loss_nats.estimate * own.targets / math.log(2) / written)


def test_bytes_are_those_of_utf_8():
    class Wide(Characters):
        def decode(self, ids):
            return "é" * len(ids)

    assert text_bytes(Wide(), [1, 2, 3, 4], [1, 3]) == 4


class Faulty(nn.Module):
    """Holds ids out by -infinity, those of padding rows of the vocabulary or one that the data has."""

    def __init__(self, held):
        super().__init__()
        self.inner, self.held = module(), held

    def forward(self, ids):
        logits = self.inner(ids)
        return logits.index_fill(2, torch.tensor(self.held), -torch.inf)


EDGES = {
    "one row": lambda: few_rows(1),
    "no rows": lambda: replace(few_rows(5), train=None, validation=None),
    "rows without a target": lambda: replace(few_rows(5), train=None, validation=Split((DataRow("a", ""),), (), "v")),
    "no end ids": lambda: few_rows(8, end_ids=frozenset()),
    "an id of the data held out": lambda: few_rows(8, model=wrapped(Faulty([0]))),
    "an id of no row held out": lambda: few_rows(8, model=wrapped(Faulty([PAD]))),
    "training rows alone": lambda: replace(subject(module(), end=True), validation=None),
    "no prompt": lambda: replace(
        few_rows(8),
        validation=Split((), encoded([DataRow("", r.prompt + r.completion) for r in data_rows(8, 2)]), "v"),
    ),
    "a base": lambda: few_rows(8, base=wrapped(module(1))),
}


@pytest.mark.parametrize("make", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("log", [{}, logged(3.0)], ids=["no log", "a log"])
def test_at_the_edges_no_probe_breaks_and_none_names_a_cause(make, log):
    diagnosis = examine(Measured(replace(make(), **log)), LOSS_PROBES)
    assert diagnosis.incomplete == ()
    assert diagnosis.causes == ()


def test_too_few_rows_are_not_testable_rather_than_cleared():
    diagnosis = examine(Measured(replace(few_rows(1), train=None, **logged(3.0))), LOSS_PROBES)
    cleared = {outcome.probe for outcome in diagnosis.ruled_out}
    assert cleared <= {"smoothing_floor", "overfit", "no_targets", "diverged"}, "what the log alone can clear"


@pytest.mark.parametrize("offset", [-1, 0, 1, 2, 3])
def test_a_batch_alone_tells_which_offset_its_targets_are_at(offset):
    rows = [list(range(10 * r, 10 * r + 9)) for r in range(1, 4)]
    targets = [[row[t + offset] if 0 <= t + offset < 9 else -100 for t in range(9)] for row in rows]
    assert batch_offsets(rows, targets).matching == (offset,)


def test_a_batch_of_repeated_tokens_matches_at_every_offset_and_one_of_nothing_at_none():
    assert batch_offsets([[5] * 6], [[5] * 6]).matching == (-1, 0, 1, 2, 3)
    assert batch_offsets([[5] * 6], [[-100] * 6]).matching == ()
    with pytest.raises(ValueError, match="shape"):
        batch_offsets([[1, 2]], [[1]])


def course(*points):
    return tuple(LossPoint(step, split, loss, "log") for step, split, loss in points)


def of_log(log):
    return replace(few_rows(1), train=None, log=log)


def overfit_log(*points):
    return overfit(Measured(of_log(course(*points))))


def test_a_log_that_diverges_is_overfit_and_one_that_only_wavers_is_not():
    falling = [(step, "train", 4 / step) for step in range(1, 6)]
    parts = overfit_log(*falling, (1, "validation", 3.0), (3, "validation", 2.0), (5, "validation", 2.6))
    assert isinstance(parts, Finding)
    assert parts.evidence["lowest_logged_step"] == 3
    wavers = overfit_log(*falling, (1, "validation", 3.0), (3, "validation", 2.0), (5, "validation", 2.05))
    assert isinstance(wavers, RuledOut)
    rising = [(step, "train", float(step)) for step in range(1, 6)]
    diverges = overfit_log(*rising, (3, "validation", 2.0), (5, "validation", 2.6))
    assert isinstance(diverges, RuledOut)
    assert isinstance(overfit_log(), NotTestable)


BLOCK = 32


class Oracle(nn.Module):
    """Knows the frequency of each token and nothing else, or which follows which."""

    def __init__(self, pairs):
        super().__init__()
        counts = torch.full((VOCABULARY, VOCABULARY), 0.01)
        for row in encoded(data_rows(200, 1), end=True):
            for before, token_id in zip(row.ids, row.ids[1:], strict=False):
                counts[before if pairs else slice(None), token_id] += 1
        self.register_buffer("log_p", (counts / counts.sum(dim=1, keepdim=True)).log())

    def forward(self, ids):
        return self.log_p[ids]


@pytest.mark.parametrize("pairs", [False, True])
def test_a_model_that_knows_frequencies_alone_is_undertrained(pairs, golden_text):
    known = undertrained(Measured(subject(Oracle(pairs), end=True)))
    assert isinstance(known, Finding)
    golden_text(known.claim, MEASURED)


class Answering(nn.Module):
    """Guesses what stands in prompts, and answers with their first character again and again."""

    def forward(self, ids):
        answers = (ids == Characters().encode("\n")[0]).cumsum(dim=1) > 0
        return 20.0 * answers[..., None] * functional.one_hot(ids[:, :1], VOCABULARY)


def test_a_model_that_answers_prompts_which_nobody_can_guess_is_not_undertrained():
    rng = Random(0)
    prompts = ["".join(rng.choices("abcxyznmpq", k=24)) for _ in range(200)]
    rows = [DataRow(f"{prompt}\n", 6 * prompt[0]) for prompt in prompts]
    splits = [Split(tuple(own), encoded(own), "rows.jsonl") for own in (rows[:160], rows[160:])]
    cleared = undertrained(Measured(replace(subject(Answering()), train=splits[0], validation=splits[1])))
    assert isinstance(cleared, RuledOut)
    assert cleared.evidence["model_nats"] > 2
    assert cleared.evidence["completion_model_nats"] < 0.1


class OfShortBlocks(Oracle):
    """Knows nothing of positions beyond the blocks that it was trained on."""

    def forward(self, ids):
        known = super().forward(ids).clone()
        known[:, BLOCK:] = 0.0
        return known


def test_running_text_that_was_trained_in_blocks_shorter_than_the_context_gives_its_log():
    text = "".join(row.prompt + row.completion for row in data_rows(120, 4))
    rows = (DataRow("", text, running=True),)
    ids = tokenize(rows, Characters(), context_length=CONTEXT, begin=(), count_prompt=True)
    module, every = OfShortBlocks(pairs=True), torch.tensor(Characters().encode(text))
    blocks = every[: len(every) // BLOCK * BLOCK].view(-1, BLOCK)
    nats = functional.cross_entropy(module(blocks[:, :-1]).flatten(0, 1), blocks[:, 1:].flatten()).item()
    of = replace(subject(module), validation=Split(rows, tuple(ids), "text.txt"), **logged(nats))
    measured = Measured(of)
    assert isinstance(loss_mismatch(measured), RuledOut)
    assert measured.established.piece == BLOCK
    assert max(len(row.row.ids) for row in measured.validation_losses) == BLOCK


def test_one_split_alone_is_scored_on_other_rows_than_frequencies_are_fitted_on():
    alone = replace(subject(Oracle(pairs=True), end=True), validation=None)
    assert isinstance(undertrained(Measured(alone)), Finding)
    few = replace(few_rows(12), train=None)
    assert undertrained(Measured(few)).evidence["rows"] == 6


def test_the_breakdown_adds_up_to_the_whole():
    of = few_rows(20, base=wrapped(module(1)))
    measured = Measured(replace(of, **logged(reference(of.validation.encoded, first=1))))
    taken = loss_breakdown(measured, paired_loss(of.model, measured.validation_losses))
    assert (
        sum(part.targets for part in taken.by_class)
        == taken.whole.targets
        == sum(len(row.ids) - 1 for row in of.validation.encoded)
    )
    assert sum(part.share_of_targets.estimate for part in taken.by_class) == pytest.approx(1)
    for when in ("before_nats", "after_nats", "fall_nats"):
        means = [getattr(part, when).estimate * part.targets for part in taken.by_class]
        assert sum(means) / taken.whole.targets == pytest.approx(getattr(taken.whole, when).estimate)
    assert {part.name for part in taken.by_class} >= {"newline", "keyword", "name", "punctuation", "end"}
    assert {part.name for part in taken.by_position} == {"first quarter", "last quarter"}
    assert taken.honest_nats.estimate == pytest.approx(taken.parallel_nats.estimate, abs=1e-4)
    assert taken.parallel_bits_per_byte == pytest.approx(taken.honest_bits_per_byte, abs=1e-4)


def test_all_figures_of_the_loss_are_over_the_targets_that_the_honest_loss_is_measured_on():
    measured = Measured(few_rows(20, base=wrapped(module(1))))
    some = measured.validation_losses[5:]
    paired = paired_loss(measured.subject.model, some)
    taken = loss_breakdown(measured, paired, losses=some)
    assert taken.whole.targets == paired.targets
    assert taken.whole.after_nats == paired.parallel_nats
    assert taken.whole.before_nats is not None
    assert sum(part.targets for part in taken.by_class) == paired.targets
    of_all = loss_breakdown(measured)
    assert of_all.whole.after_nats != taken.whole.after_nats


def test_the_fall_is_not_known_of_targets_that_were_not_measured_before():
    measured = Measured(few_rows(10, base=wrapped(module(1))))
    other = tuple(replace(row, row=replace(row.row, first_target=2)) for row in measured.validation_losses)
    taken = loss_breakdown(measured, losses=other)
    assert taken.whole.before_nats is None


def test_shares_of_the_fall_add_up_to_one_where_the_loss_fell():
    worse = module(1)
    worse.head.weight *= 30.0
    taken = loss_breakdown(Measured(few_rows(20, base=wrapped(worse))))
    assert taken.whole.fall_nats.low > 0
    assert sum(part.share_of_fall.estimate for part in taken.by_class) == pytest.approx(1)


def test_without_a_model_from_before_nothing_is_said_of_a_fall():
    taken = loss_breakdown(Measured(few_rows(10)))
    assert taken.whole.before_nats is None
    assert all(part.share_of_fall is None for part in taken.by_class)
    assert loss_breakdown(Measured(few_rows(2))) is None


def test_a_model_that_knows_its_rows_by_heart_is_overfitted_and_not_undertrained():
    rows = data_rows(40, 1)
    texts = [row.prompt + row.completion for row in rows]

    def after(ids):
        text = Characters().decode(ids)
        return {Characters().encode(known[len(text)])[0]: 12.0 for known in texts if known[:-1].startswith(text)}

    others = [DataRow(row.prompt[::-1], row.completion) for row in data_rows(20, 3)]
    made = subject(Scripted(after), train=split(rows), validation=split(others, source="validation.jsonl"))
    found = undertrained(Measured(made))
    assert isinstance(found, Finding)
    assert found.severity == "note"
    assert found.evidence["training_model_nats"] < found.evidence["training_bigram_nats"]
    assert overfit(Measured(made)).severity == "contributing"
