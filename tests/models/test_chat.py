"""An instruct model is asked in its chat format, a base model whose tokenizer has a template is not."""

from __future__ import annotations

import json

import pytest

from evalharness.errors import CheckpointError
from evalharness.models.requests import continues_prompt

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TRIMMING = TEMPLATE.replace("m.content", "m.content | upper")


def with_chat(llama, *, eos, template=TEMPLATE):
    """The same folder with a chat template, and special tokens for its turns."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(llama)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|end|>"]})
    tokenizer.add_tokens(list("WEHNV`\\'-"))
    tokenizer.chat_template = template
    tokenizer.eos_token = eos
    tokenizer.save_pretrained(llama)
    return llama


@pytest.fixture
def folder(make_llama, tmp_path):
    return make_llama(tmp_path / "llama", rows=80)


@pytest.fixture
def load():
    from evalharness.models.torch import load_checkpoint
    from evalharness.settings.manifest import find_manifest

    def loaded(folder, **settings):
        return load_checkpoint(folder, find_manifest(folder), working_folder=folder, **settings)

    return loaded


def test_an_instruct_model_is_asked_in_its_chat(folder, load):
    checkpoint = load(with_chat(folder, eos="<|end|>"))
    assert checkpoint.prompt_template.startswith("<|user|>")
    assert checkpoint.prompt_template.endswith("<|assistant|>")
    assert not continues_prompt(checkpoint.prompt_template)
    assert checkpoint.tokenizer.find("<|end|>") in checkpoint.end_token_ids
    assert any("--chat" in note for note in checkpoint.info.notes)


def test_a_base_model_whose_tokenizer_has_a_template_is_asked_plainly_and_that_is_said(folder, load):
    checkpoint = load(with_chat(folder, eos="<|endoftext|>"))
    assert checkpoint.prompt_template == "{prompt}"
    assert any("--chat" in note and "<|end|>" in note for note in checkpoint.info.notes)


def test_the_setting_decides_otherwise(folder, load):
    with_chat(folder, eos="<|endoftext|>")
    always, never = (load(folder, chat=chat) for chat in ("always", "never"))
    assert always.prompt_template.startswith("<|user|>")
    assert always.tokenizer.find("<|end|>") in always.end_token_ids
    assert never.prompt_template == "{prompt}"
    assert always.info.fingerprint != never.info.fingerprint


def test_a_template_of_the_manifest_comes_first(folder, load):
    with_chat(folder, eos="<|end|>")
    (folder / "evalharness.toml").write_text('[model]\nprompt_template = "Q:{prompt}"\n')
    assert load(folder).prompt_template == "Q:{prompt}"


def test_always_without_a_template_is_refused(folder, load):
    with pytest.raises(CheckpointError, match="template"):
        load(folder, chat="always")


@pytest.mark.parametrize("template", [TRIMMING, "{{ raise_exception('no') }}", "{% for m in messages"])
def test_a_template_that_gives_no_question_back_is_left_out_and_said(folder, load, template):
    checkpoint = load(with_chat(folder, eos="<|end|>", template=template))
    assert checkpoint.prompt_template == "{prompt}"
    assert any("--chat" in note for note in checkpoint.info.notes)


def test_a_begin_token_that_the_template_writes_is_not_put_there_twice(folder, load):
    with_chat(folder, eos="<|end|>", template="<|endoftext|>" + TEMPLATE)
    configuration = folder / "evalharness.toml"
    configuration.write_text('[model]\nbegin_token = "<|endoftext|>"\n')
    assert load(folder).begin_token_ids == ()
    assert json.dumps(load(folder, chat="never").begin_token_ids) == "[1]"


@pytest.mark.parametrize("eos", ["<|end|>", "<|endoftext|>"], ids=["tuned on the chat", "not tuned on it"])
def test_the_way_that_was_not_chosen_is_kept_with_its_own_end_tokens(folder, load, eos):
    checkpoint = load(with_chat(folder, eos=eos))
    other = checkpoint.asked_the_other_way()
    by_setting = load(folder, chat="always" if checkpoint.prompt_template == "{prompt}" else "never")
    assert other.prompt_template == by_setting.prompt_template != checkpoint.prompt_template
    assert other.end_token_ids == by_setting.end_token_ids
    assert by_setting.asked_the_other_way().prompt_template == checkpoint.prompt_template
    assert other.asked_the_other_way() is None
