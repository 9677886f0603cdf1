"""Batches as the trainers of transformers and of TRL put them together, asked through the public function."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    DataCollatorWithFlattening,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

import evalharness
from evalharness.records import Finding, NotTestable, RuledOut

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXTS = ("def add(a, b): return a + b", "print(len(names))", "x = [i for i in y if i]", "while True: pass")


def made_tokenizer(**special):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    characters = ["<end>", "<begin>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>"]
    characters += [*(chr(i) for i in range(33, 127)), "Ġ", "Ċ"]
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(characters[:6])
    special = {"eos_token": "<end>", "bos_token": "<begin>", "pad_token": "<pad>"} | special
    made = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    made.chat_template = TEMPLATE
    return made


def model_of(tokenizer, kind="llama"):
    torch.manual_seed(0)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if kind == "gpt2":
        config = GPT2Config(vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2, **ids)
        return GPT2LMHeadModel(config)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256, pad_token_id=tokenizer.pad_token_id, **ids,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def outcomes(batch, tokenizer, model=None):
    found = evalharness.preflight(model or model_of(tokenizer), batch, tokenizer, check=False)
    return {o.probe: o for o in (*found.findings, *found.ruled_out, *found.not_testable)}


def encoded(tokenizer, texts=TEXTS):
    return [tokenizer(text)["input_ids"] for text in texts]


def test_padding_with_the_end_token_is_no_end_of_a_row():
    tokenizer = made_tokenizer(pad_token="<end>")
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    batch = collate([{"input_ids": ids} for ids in encoded(tokenizer)])
    assert (batch["attention_mask"] == 0).any()
    found = outcomes(batch, tokenizer)["no_end_token"]
    assert isinstance(found, Finding)
    assert (found.evidence["end_inputs"], found.evidence["end_targets"]) == (0, 0)


def test_padding_that_counts_is_no_end_of_a_row_either():
    tokenizer = made_tokenizer(pad_token="<end>")
    batch = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    found = outcomes({**batch, "labels": batch["input_ids"].clone()}, tokenizer)
    assert found["no_end_token"].evidence["end_targets"] == 0
    assert found["padding_in_loss"].evidence["padding"] == int((batch["attention_mask"] == 0).sum())


def test_an_end_that_is_masked_because_it_is_the_padding_is_seen_as_an_input():
    tokenizer = made_tokenizer(pad_token="<end>")
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    batch = collate([{"input_ids": [*ids, tokenizer.eos_token_id]} for ids in encoded(tokenizer)])
    found = outcomes(batch, tokenizer)["no_end_token"]
    assert (found.evidence["end_inputs"], found.evidence["end_targets"]) == (len(TEXTS), 0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_does_not_count(side):
    tokenizer = made_tokenizer(padding_side=side)
    rows = [{"input_ids": [*ids, 0], "labels": [-100, -100, *ids[2:], 0]} for ids in encoded(tokenizer)]
    found = outcomes(DataCollatorForSeq2Seq(tokenizer)(rows), tokenizer)
    assert found["padding_in_loss"].evidence["padding"] == 0
    assert found["no_end_token"].evidence["end_targets"] == len(TEXTS)
    assert isinstance(found["label_shift"], RuledOut)


@pytest.mark.parametrize(("head", "kind"), [([1, 1], Finding), ([1], RuledOut), ([], RuledOut)])
def test_a_begin_token_that_stands_twice_is_found(head, kind):
    tokenizer = made_tokenizer()
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    found = outcomes(collate([{"input_ids": [*head, *ids]} for ids in encoded(tokenizer)]), tokenizer)
    assert isinstance(found["double_begin"], kind)
    assert found["double_begin"].evidence["rows_that_begin_twice"] == (len(TEXTS) if kind is Finding else 0)


def chat(tokenizer, *, masked=False):
    """As TRL's SFT has it: all of a conversation counts, unless the answers alone were asked for."""
    turns = [{"role": "user", "content": "add them"}, {"role": "assistant", "content": "a + b"}]
    ids = list(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False))
    begin = ids.index(tokenizer.convert_tokens_to_ids("<|assistant|>")) + 1
    row = {"input_ids": ids, "labels": [-100] * begin + ids[begin:] if masked else ids}
    return DataCollatorForSeq2Seq(tokenizer)([row] * 4), begin / len(ids)


def test_prompts_that_count_in_chats_are_seen_by_the_template():
    tokenizer = made_tokenizer()
    batch, share = chat(tokenizer)
    found = outcomes(batch, tokenizer)["prompt_in_loss"]
    assert isinstance(found, Finding)
    assert found.severity == "note"
    assert found.evidence["prompt_share"] == pytest.approx(share)


def test_answers_that_alone_count_are_seen_too():
    tokenizer = made_tokenizer()
    batch, share = chat(tokenizer, masked=True)
    found = outcomes(batch, tokenizer)
    assert isinstance(found["prompt_in_loss"], RuledOut)
    assert found["prompt_in_loss"].evidence["masked"] == pytest.approx(share)
    assert found["packed_rows"].kind == "does_not_apply"


def wrapped(tokenizer, length=48):
    """As packing without boundaries has them: all texts one after another, cut at every ``length`` ids."""
    ids = [i for row in encoded(tokenizer) * 4 for i in [*row, tokenizer.eos_token_id]]
    blocks = torch.tensor([ids[begin : begin + length] for begin in range(0, len(ids) - length + 1, length)])
    return {"input_ids": blocks, "labels": blocks.clone(), "attention_mask": torch.ones_like(blocks)}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_texts_of_wrapped_packing_see_each_other(kind):
    tokenizer = made_tokenizer()
    found = outcomes(wrapped(tokenizer), tokenizer, model_of(tokenizer, kind))["packed_rows"]
    assert isinstance(found, Finding)
    assert found.severity == "note"


def test_texts_that_position_ids_keep_apart_do_not_see_each_other():
    tokenizer = made_tokenizer()
    rows = [{"input_ids": [*ids, 0]} for ids in encoded(tokenizer)]
    found = outcomes(DataCollatorWithFlattening()(rows), tokenizer)
    assert isinstance(found["packed_rows"], RuledOut)
    assert found["packed_rows"].evidence["rows_with_several_texts"] == 1


def chats_packed(tokenizer, *, masked):
    """Conversations as packing has them that keeps texts apart: one row, with position ids that begin anew."""
    batch, _ = chat(tokenizer, masked=masked)
    pairs = zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
    rows = [{"input_ids": ids, "labels": labels} for ids, labels in pairs]
    return DataCollatorWithFlattening()(rows), rows


def test_prompts_that_count_are_seen_in_packed_chats_too():
    tokenizer = made_tokenizer()
    batch, rows = chats_packed(tokenizer, masked=False)
    found = outcomes(batch, tokenizer)["prompt_in_loss"]
    assert isinstance(found, Finding)
    assert found.evidence["chats"] == len(rows)


def test_each_text_of_a_packed_row_has_its_prompt_left_out():
    tokenizer = made_tokenizer()
    batch, rows = chats_packed(tokenizer, masked=True)
    found = outcomes(batch, tokenizer)
    assert found["prompt_in_loss"].evidence["texts_with_a_masked_head"] == len(rows)
    assert isinstance(found["token_boundary"], RuledOut)
    assert found["token_boundary"].evidence["rows"] == len(rows)


def test_padding_on_the_left_is_no_prompt_that_is_left_out():
    tokenizer = made_tokenizer(padding_side="left")
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    found = outcomes(collate([{"input_ids": ids} for ids in encoded(tokenizer)]), tokenizer)
    assert isinstance(found["prompt_in_loss"], NotTestable)


def test_begin_tokens_are_looked_for_in_each_text_of_a_packed_row():
    tokenizer = made_tokenizer()
    batch = DataCollatorWithFlattening()([{"input_ids": [1, 1, *ids]} for ids in encoded(tokenizer)])
    assert outcomes(batch, tokenizer)["double_begin"].evidence["rows_that_begin_twice"] == len(TEXTS)


def test_a_packed_row_may_be_longer_than_the_context_of_its_texts():
    tokenizer = made_tokenizer()
    batch = DataCollatorWithFlattening()([{"input_ids": ids} for ids in encoded(tokenizer) * 4])
    model = model_of(tokenizer, "gpt2")
    assert batch["input_ids"].shape[1] > model.config.n_positions
    found = outcomes(batch, tokenizer, model)
    assert isinstance(found["first_loss"], RuledOut)
    assert isinstance(found["future_leak"], RuledOut)


def test_several_answers_in_a_row_may_be_of_one_conversation():
    tokenizer = made_tokenizer()
    batch, _ = chat(tokenizer)
    ids = batch["input_ids"].repeat(1, 2)
    outcome = outcomes({"input_ids": ids, "labels": ids, "attention_mask": torch.ones_like(ids)}, tokenizer)
    assert outcome["packed_rows"].kind == "not_known"


def preferences(form):
    prompt, chosen, rejected = [9, 10, 11], [12, 13, 14, 0], [15, 16, 0]
    pad = lambda rows, value: torch.tensor([row + [value] * (7 - len(row)) for row in rows])  # noqa: E731
    good, bad = prompt + chosen, prompt + rejected
    if form == "one after the other":
        ids, counted = [good, good, bad, bad], [[0] * 3 + [1] * (len(row) - 3) for row in (good, good, bad, bad)]
        mask = pad([[1] * len(row) for row in ids], 0)
        return {"input_ids": pad(ids, 2), "attention_mask": mask, "completion_mask": pad(counted, 0)}
    if form == "with the prompt":
        return {
            "chosen_input_ids": pad([good] * 2, 2), "chosen_attention_mask": pad([[1] * len(good)] * 2, 0),
            "chosen_labels": pad([[-100] * 3 + chosen] * 2, -100),
            "rejected_input_ids": pad([bad] * 2, 2), "rejected_attention_mask": pad([[1] * len(bad)] * 2, 0),
            "rejected_labels": pad([[-100] * 3 + rejected] * 2, -100),
        }  # fmt: skip
    return {
        "prompt_input_ids": torch.tensor([[2, *prompt]] * 2), "prompt_attention_mask": torch.tensor([[0, 1, 1, 1]] * 2),
        "chosen_input_ids": torch.tensor([chosen] * 2), "chosen_attention_mask": torch.ones(2, 4, dtype=torch.long),
        "rejected_input_ids": torch.tensor([[*rejected, 2]] * 2),
        "rejected_attention_mask": torch.tensor([[1, 1, 1, 0]] * 2),
    }  # fmt: skip


@pytest.mark.parametrize("form", ["one after the other", "with the prompt", "the prompt apart"])
def test_a_batch_of_preferences_is_read_in_each_form_that_trl_gave_it(form):
    tokenizer = made_tokenizer()
    found = outcomes(preferences(form), tokenizer)
    assert found["no_targets"].evidence["targets"] == 2 * 4 + 2 * 3
    assert found["no_end_token"].evidence["end_targets"] == 4
    assert all(isinstance(found[probe], RuledOut) for probe in ("label_shift", "padding_in_loss", "prompt_in_loss"))


def test_weights_that_were_trained_before_are_no_finding():
    tokenizer = made_tokenizer()
    model, ids = model_of(tokenizer), torch.tensor([encoded(tokenizer)[0]] * 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(40):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    outcome = outcomes({"input_ids": ids, "labels": ids}, tokenizer, model)["first_loss"]
    assert isinstance(outcome, NotTestable)
    assert outcome.kind == "does_not_apply"
