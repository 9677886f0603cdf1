"""Hugging Face folders, with no manifest at all."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.protocols import keeps_few, tail_logits
from evalharness.models.torch import load_checkpoint
from evalharness.settings.manifest import find_manifest

IDS = torch.tensor([[3, 4, 5, 6, 7, 8]])


def load(path, **settings):
    return load_checkpoint(path, find_manifest(path), **settings)


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_folder_needs_no_manifest(llama):
    import transformers

    checkpoint = load(llama)
    with torch.no_grad():
        expected = transformers.LlamaForCausalLM.from_pretrained(llama).eval()(IDS).logits
    assert torch.allclose(checkpoint.model.logits(IDS), expected, atol=1e-6)
    assert checkpoint.info.kind == "Hugging Face model"
    assert checkpoint.end_token_ids == {1}
    assert checkpoint.begin_token_ids == ()
    assert checkpoint.context_length == 64
    assert checkpoint.model.vocabulary_rows == 48
    assert checkpoint.held_out_ids == tuple(range(40, 48))
    assert checkpoint.tokenizer.decode(checkpoint.tokenizer.encode("abc: 1")) == "abc: 1"


def test_the_cache_gives_what_the_full_pass_gives(llama):
    model = load(llama).model
    assert model.supports_cache
    whole = model.logits(IDS)
    mask, positions = torch.ones_like(IDS), torch.arange(6)[None]
    first, cache = model.cached_logits(IDS[:, :4], mask[:, :4], positions[:, :4], None)
    second, cache = model.cached_logits(IDS[:, 4:], mask, positions[:, 4:], cache)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-5)


@pytest.mark.parametrize("chooses", [True, False])
def test_the_logits_of_some_places_are_those_of_all_of_them(llama, monkeypatch, chooses):
    model, places = load(llama).model, torch.tensor([1, 4])
    mask, positions = torch.ones_like(IDS), torch.arange(6)[None]
    whole, _ = model.cached_logits(IDS, mask, positions, None)
    if not chooses:
        forward = model.module.forward

        def plain(**given):
            return forward(**given)

        monkeypatch.setattr(model.module, "forward", plain)
    some, cache = model.cached_logits_at(IDS, mask, positions, None, places)
    assert torch.allclose(some, whole[:, places], atol=1e-6)
    assert cache.get_seq_length() == 6


def test_a_module_that_gives_all_logits_where_few_are_asked_for_is_no_error(llama, monkeypatch):
    model = load(llama).model
    forward, whole = model.module.forward, model.logits(IDS)

    def ignoring(input_ids=None, use_cache=None, logits_to_keep=0):
        return forward(input_ids=input_ids, use_cache=use_cache)

    monkeypatch.setattr(model.module, "forward", ignoring)
    assert torch.equal(tail_logits(model, IDS, 2), whole[:, -2:])


@pytest.mark.parametrize("chooses", [True, False])
def test_the_last_logits_are_those_of_a_whole_pass_and_no_others_are_made(llama, monkeypatch, chooses):
    model, made = load(llama).model, []
    forward = model.module.forward

    def choosing(input_ids=None, use_cache=None, logits_to_keep=0):
        given = {"logits_to_keep": logits_to_keep} if chooses else {}
        output = forward(input_ids=input_ids, use_cache=use_cache, **given)
        made.append(output.logits.shape[1])
        return output

    def plain(input_ids=None, use_cache=None):
        return choosing(input_ids, use_cache)

    whole = model.logits(IDS)
    monkeypatch.setattr(model.module, "forward", choosing if chooses else plain)
    assert keeps_few(model) is chooses
    assert torch.allclose(tail_logits(model, IDS, 3), whole[:, -3:], atol=1e-6)
    assert made == [3 if chooses else IDS.shape[1]]


def test_empty_slots_of_the_cache_change_nothing(llama):
    model = load(llama).model
    ids = torch.tensor([[0, 0, 3, 4], [5, 6, 7, 8]])
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    positions = torch.tensor([[0, 0, 0, 1], [0, 1, 2, 3]])
    _, cache = model.cached_logits(ids, mask, positions, None)
    more = torch.cat([mask, torch.ones(2, 1, dtype=torch.int64)], dim=1)
    logits, _ = model.cached_logits(torch.tensor([[9], [9]]), more, torch.tensor([[2], [4]]), cache)
    assert torch.allclose(logits[0, 0], model.logits(torch.tensor([[3, 4, 9]]))[0, -1], atol=1e-5)


def test_sharded_weights_are_all_in_the_fingerprint(tmp_path, make_llama):
    folder = make_llama(tmp_path / "sharded", max_shard_size="8KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    before = load(folder).info.fingerprint
    state = load_file(shards[-1])
    save_file({name: tensor + 1 for name, tensor in state.items()}, shards[-1], metadata={"format": "pt"})
    assert load(folder).info.fingerprint != before


@pytest.mark.parametrize("dtype", ["bfloat16", "float64", "auto"])
def test_the_dtype_is_what_was_asked_for(llama, dtype):
    checkpoint = load(llama, dtype=dtype)
    assert checkpoint.dtype == ("float32" if dtype == "auto" else dtype)
    assert checkpoint.model.logits(IDS).dtype == (torch.float64 if dtype == "float64" else torch.float32)


def test_what_a_tokenizer_puts_before_a_text_goes_before_every_prompt(llama, golden_text):
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 1)]
    )
    tokenizer.save(str(llama / "tokenizer.json"))
    checkpoint = load(llama)
    assert checkpoint.begin_token_ids == (1,)
    assert 1 not in checkpoint.tokenizer.encode("abc")
    golden_text(checkpoint.info.notes)


def test_encoder_decoders_and_masked_models_are_refused(llama, golden_text):
    edit(llama / "config.json", model_type="t5", architectures=["T5ForConditionalGeneration"], is_encoder_decoder=True)
    with pytest.raises(CheckpointError) as error:
        load(llama)
    golden_text(error)
    edit(llama / "config.json", model_type="bert", architectures=["BertForMaskedLM"], is_encoder_decoder=False)
    with pytest.raises(CheckpointError) as error:
        load(llama)
    golden_text(error)
    edit(llama / "config.json", model_type="vit", architectures=["ViTModel"])
    with pytest.raises(CheckpointError) as error:
        load(llama)
    golden_text(error)


def test_code_in_the_folder_needs_trust(llama, golden_text):
    edit(llama / "config.json", model_type="my-own", auto_map={"AutoConfig": "configuration_own.OwnConfig"})
    with pytest.raises(UntrustedError) as error:
        load(llama)
    golden_text(error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: {n: t for n, t in state.items() if "layers.1.mlp.up" not in n},
            r"lack: 1 \(model.layers.1.mlp.up",
        ),
        (lambda state: {**state, "model.extra": torch.zeros(1)}, r"names that the model lacks: 1 \(model.extra\)"),
        (
            lambda state: {**state, "model.norm.weight": torch.zeros(3)},
            r"model.norm.weight is \(3,\) in the files, \(16,\)",
        ),
    ],
)
def test_tensors_that_do_not_match_are_an_error_where_transformers_warns(llama, change, message):
    file = llama / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=message) as caught:
        load(llama)
    assert "\n" not in str(caught.value)


CAUSAL = torch.ones(64, 64, dtype=torch.bool).tril()[None, None]
ATTENTION = "model.layers.0.self_attn"


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        (f"{ATTENTION}.bias", CAUSAL),
        (f"{ATTENTION}.bias", CAUSAL.to(torch.uint8)),
        (f"{ATTENTION}.masked_bias", torch.tensor(-1e4)),
        (f"{ATTENTION}.masked_bias", torch.tensor([-1e9])),
        (f"{ATTENTION}.rotary_emb.inv_freq", torch.ones(4)),
        ("model.position_ids", torch.arange(64)[None]),
    ],
)
def test_constants_that_older_versions_saved_are_left_out(llama, name, constant):
    file, expected = llama / "model.safetensors", load(llama).model.logits(IDS)
    save_file(load_file(file) | {name: constant}, file, metadata={"format": "pt"})
    assert torch.equal(load(llama).model.logits(IDS), expected)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        (f"{ATTENTION}.bias", torch.ones(16)),
        (f"{ATTENTION}.bias", CAUSAL.triu(-8)),
        (f"{ATTENTION}.masked_bias", torch.tensor(0.5)),
        (f"{ATTENTION}.masked_bias", torch.full((16,), -1e4)),
        ("model.position_ids", torch.arange(64).flip(0)[None]),
        ("lm_head.0.weight", torch.ones(48, 16)),
    ],
)
def test_weights_and_masks_of_another_model_under_the_names_of_constants_are_an_error(llama, name, weight):
    file = llama / "model.safetensors"
    save_file(load_file(file) | {name: weight}, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=name):
        load(llama)


def test_tensors_that_were_not_gathered_are_said_to_be_empty(llama):
    file = llama / "model.safetensors"
    save_file(load_file(file) | {"model.norm.weight": torch.empty(0)}, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"\(model.norm.weight\)"):
        load(llama)


def test_truncated_weights_are_one_line(llama, golden_text):
    file = llama / "model.safetensors"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(CheckpointError) as caught:
        load(llama)
    golden_text(caught, {"(?<=SafetensorError: ).*": "<what safetensors says>"})
    assert "\n" not in str(caught.value)


def test_a_tokenizer_larger_than_the_model_is_an_error(llama, golden_text):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    tokenizer.add_tokens([f"<extra{number}>" for number in range(20)])
    tokenizer.save(str(llama / "tokenizer.json"))
    with pytest.raises(CheckpointError) as error:
        load(llama)
    golden_text(error)


def test_a_folder_without_a_tokenizer_says_where_it_looked(llama, golden_text):
    (llama / "tokenizer.json").unlink()
    (llama / "tokenizer_config.json").unlink()
    with pytest.raises(CheckpointError) as error:
        load(llama)
    golden_text(error)


def test_transformers_reports_as_before_afterwards(llama):
    from transformers.utils import logging

    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    load(llama)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
