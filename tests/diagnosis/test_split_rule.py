"""The same vocabulary behind another rule than in training: the rule is found, named and proven."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest
from small_sound import trained
from small_training import CONTEXT, END, data_rows, wrapped
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from whole import log_of

from evalharness.diagnosis.data.rows import DataRow, TokenRow, tokenize
from evalharness.diagnosis.losses.encoded_anew import encoded_anew
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.repaired import repaired
from evalharness.diagnosis.repairs import split_rule
from evalharness.diagnosis.subject import Split, Subject
from evalharness.models.protocols import SplitRule
from evalharness.models.torch.tokenizers import FileTokenizer
from evalharness.records import Finding, RuledOut

NO_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT_2 = {**NO_SPLIT, "use_regex": True}
LLAMA_3 = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def by_pattern(pattern):
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, NO_SPLIT]}


@functools.cache
def small_tokenizer() -> FileTokenizer:
    """As many tokens as the small models have rows for, without the end token and the padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [row.prompt + row.completion for row in data_rows(200, 1)]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=96, show_progress=False))
    return FileTokenizer(tokenizer)


def under(pre_tokenizer, normalizer=None) -> FileTokenizer:
    return small_tokenizer().under(SplitRule(normalizer, pre_tokenizer))


def split_by(tokenizer, seed: int, count: int = 200) -> Split:
    rows = tuple(data_rows(count, seed))
    found = tokenize(rows, tokenizer, context_length=CONTEXT, begin=(), count_prompt=True)
    ended = (replace(row, ids=(*row.ids, END), tokens=row.tokens + 1) for row in found)
    return Split(rows, tuple(ended), "rows.jsonl", file=Path("rows.jsonl"))


@functools.cache
def model_of_gpt_2():
    return trained("plain", split_by(under(GPT_2), 1).encoded, 50)


def loaded_with(tokenizer) -> Subject:
    """The log is that of training, under the rule of GPT-2; the rows are read by ``tokenizer``."""

    def read_by(used):
        splits = {"train": split_by(used, 1), "validation": split_by(used, 2, 48)}
        return Subject(wrapped(model_of_gpt_2()), used, end_ids=frozenset({END}), **splits)

    return replace(read_by(tokenizer), **log_of(read_by(under(GPT_2))))


@pytest.mark.parametrize("rule", [NO_SPLIT, by_pattern(LLAMA_3)], ids=["no split", "Llama 3"])
def test_a_rule_that_came_after_training_is_named_with_that_of_training_and_proven(rule):
    subject = loaded_with(under(rule))
    found = repaired(Measured(subject))
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["kind"] == "split_rule"
    assert found.evidence["place"].split(", ") == ["tokenizer.json", "pre_tokenizer"]
    assert found.evidence["proven"]
    assert found.evidence["repaired_nats"] == pytest.approx(subject.logged.loss_nats, rel=0.01)
    assert found.evidence["random_lowers_nats"] < found.evidence["lowered_low_nats"]


def test_the_rule_of_the_file_is_tried_first():
    tokenizer = under(by_pattern(LLAMA_3))
    tokenizer.rule_in_file = SplitRule(None, GPT_2)
    best = next(split_rule.repairs(loaded_with(tokenizer)))
    assert best.encode("def add(a, b):\n") == under(GPT_2).encode("def add(a, b):\n")


def test_the_right_rule_needs_no_repair_and_rows_that_are_ids_get_none():
    subject = loaded_with(under(GPT_2))
    assert isinstance(repaired(Measured(subject)), RuledOut)
    as_ids = replace(subject, validation=replace(subject.validation, file=None))
    assert list(split_rule.repairs(as_ids)) == []


def test_a_log_of_another_run_is_explained_by_no_rule():
    subject = loaded_with(under(GPT_2))
    point = replace(subject.logged, loss_nats=subject.logged.loss_nats * 0.6)
    found = repaired(Measured(replace(subject, logged=point)))
    assert isinstance(found, RuledOut)
    assert found.evidence["kinds"]["split_rule"] > 0


def test_only_rules_that_give_other_tokens_are_tried():
    places = [repair.place for repair in split_rule.repairs(loaded_with(under(GPT_2)))]
    assert ["tokenizer.json", "pre_tokenizer"] in [place.split(", ") for place in places]
    assert "tokenizer.json, normalizer" not in places  # the rows are lower-case ASCII: no normalizer changes them


def test_a_vocabulary_that_writes_spaces_in_another_way_gets_rules_of_its_own_kind():
    letters = ["<unk>", "▁", "▁a", "▁b", *"abc01"]
    vocabulary = {token: i for i, token in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("▁", "a"), ("▁", "b")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    rows = (DataRow("", "a b c"),)
    subject = replace(loaded_with(under(GPT_2)), tokenizer=FileTokenizer(tokenizer))
    subject = replace(subject, validation=replace(subject.validation, rows=rows))
    encoded = [repair.encode("a b") for repair in split_rule.repairs(subject)]
    assert [2, 3] in encoded  # a space is put before the text


def test_a_row_that_other_tokens_make_longer_than_the_context_says_how_much_of_it_is_left():
    class Short:
        context_length = 4

    tokenizer = under(GPT_2)
    split = Split((DataRow("ab", "cd"),), (), "rows.jsonl")
    subject = Subject(Short(), tokenizer, begin_ids=(3,), end_ids=frozenset({END}))
    row = TokenRow((3, *tokenizer.encode("ab"), END), 1, 3, 0, 4)
    anew = encoded_anew(row, subject, split, lambda text: [tokenizer.encode(c)[0] for c in text])
    assert anew.row.ids[0] == 3
    assert len(anew.row.ids) == 4
    assert anew.row.was_cut
    assert 0 < anew.text_share < 1.5
