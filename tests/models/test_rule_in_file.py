"""What transformers makes of a tokenizer.json: another rule is said when the folder is loaded, an equal one is not."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from evalharness.models.protocols import RuledTokenizer
from evalharness.models.torch.huggingface import load_tokenizer
from evalharness.models.torch.tokenizer_rules import rule_notes


def folder_of(tmp_path, model_type: str, rule):
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(pre_tokenizers.ByteLevel.alphabet())}, []))
    tokenizer.model = models.BPE({**tokenizer.get_vocab(), "10": 256}, [("1", "0")])
    tokenizer.pre_tokenizer = rule
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    return tmp_path


def digits_together():
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def test_a_rule_that_transformers_replaces_is_kept_and_said(tmp_path):
    tokenizer = load_tokenizer(folder_of(tmp_path, "qwen2", digits_together()), trust=False, local=True)
    assert isinstance(tokenizer, RuledTokenizer)
    assert tokenizer.rule_in_file.pre_tokenizer["type"] == "ByteLevel"
    assert tokenizer.under(tokenizer.rule_in_file).encode("10") == [256] != tokenizer.encode("10")
    assert len(rule_notes(tokenizer)) == 1


@pytest.mark.parametrize(
    ("model_type", "trimmed"), [("llama", True), ("gpt2", False)], ids=["as it is", "written anew"]
)
def test_a_rule_that_gives_the_same_tokens_is_not_said(tmp_path, model_type, trimmed):
    rule = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trimmed)
    tokenizer = load_tokenizer(folder_of(tmp_path, model_type, rule), trust=False, local=True)
    assert tokenizer.rule_in_file is None
    assert rule_notes(tokenizer) == ()
