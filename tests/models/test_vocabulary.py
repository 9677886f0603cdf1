"""Tokenizers of every kind, what they can't encode, and the special tokens."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from evalharness.errors import CheckpointError
from evalharness.models.torch.tokenizers import FileTokenizer, UserTokenizer

CHARACTERS = """
class Characters:
    letters = "abc\\n "
    eos_token_id = 3

    def vocab_size(self):
        return len(self.letters)

    def encode(self, text):
        return [{letter: n for n, letter in enumerate(self.letters)}[letter] for letter in text]

    def decode(self, ids):
        return "".join(self.letters[n] for n in ids)


def tokenizer():
    return Characters()


ready = Characters()
broken = object()
"""


def byte_level(alphabet=True):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=letters, show_progress=False)
    tokenizer.train_from_iterator(["def add(a, b):\n    return a + b\n"], trainer)
    return tokenizer


@pytest.fixture
def weights(project, state):
    torch.save(state, project.folder / "m.pt")
    return project


def test_a_byte_level_tokenizer_gives_any_text_back():
    tokenizer = FileTokenizer(byte_level())
    text = "  é\t\n<|pad|> 漢\x00"
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(("text", "lacking"), [("def\tadd", "\t"), ("return é", "é"), ("xyz", "x")])
def test_a_character_that_a_model_without_unknown_token_drops_is_named(text, lacking, golden_text):
    with pytest.raises(ValueError) as caught:
        FileTokenizer(byte_level(alphabet=False)).encode(text)
    golden_text(caught)
    assert repr(lacking) in str(caught.value)


def test_a_character_that_becomes_the_unknown_token_is_named(weights, golden_text):
    tokenizer = weights.load("m.pt").tokenizer
    with pytest.raises(ValueError) as error:
        tokenizer.encode("abcZ")
    golden_text(error)
    assert tokenizer.encode("a<unk>b") == [2, 0, 3]


def test_a_tokenizer_that_normalizes_is_sound():
    tokenizer = Tokenizer(models.WordLevel({"def": 0, "add": 1, "<unk>": 2}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    assert FileTokenizer(tokenizer).encode("DEF  add") == [0, 1]


def test_a_file_that_asks_for_cutting_does_not_cut():
    tokenizer = byte_level()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=50)
    assert len(FileTokenizer(tokenizer).encode("return a + b")) not in {2, 50}


@pytest.mark.parametrize("spec", ["chars.py:tokenizer", "chars.py:ready", "chars.py:Characters"])
def test_a_tokenizer_of_the_users_code_is_used(weights, spec, golden_text):
    weights.write("chars.py", CHARACTERS)
    weights.manifest(f'factory = "models.py:build"\ntokenizer = "{spec}"')
    checkpoint = weights.load("m.pt")
    assert checkpoint.tokenizer.vocab_size == 5
    assert checkpoint.tokenizer.decode(checkpoint.tokenizer.encode("ab c\n")) == "ab c\n"
    assert checkpoint.end_token_ids == {3}
    assert checkpoint.held_out_ids == tuple(range(5, 48))
    golden_text(checkpoint.info.notes[0])
    with pytest.raises(ValueError) as error:
        checkpoint.tokenizer.encode("abx")
    golden_text(error)


def test_an_object_that_is_no_tokenizer_says_what_it_lacks(weights, golden_text):
    weights.write("chars.py", CHARACTERS)
    weights.manifest('factory = "models.py:build"\ntokenizer = "chars.py:broken"')
    with pytest.raises(CheckpointError) as error:
        weights.load("m.pt")
    golden_text(error)


def test_a_size_that_is_no_number_is_an_error(golden_text):
    class Odd:
        vocab_size = "many"

    with pytest.raises(CheckpointError) as error:
        UserTokenizer(Odd(), "odd.py:Odd")
    golden_text(error)


def test_a_folder_can_be_the_tokenizer(weights, golden_text):
    (weights.folder / "tok").mkdir()
    (weights.folder / "tokenizer.json").rename(weights.folder / "tok" / "tokenizer.json")
    with pytest.raises(CheckpointError) as error:
        weights.load("m.pt")
    golden_text(error)
    weights.manifest('factory = "models.py:build"\ntokenizer = "tok"')
    assert weights.load("m.pt").tokenizer.vocab_size == 40


def test_a_broken_tokenizer_file_is_one_line(weights, golden_text):
    weights.write("tokenizer.json", "{")
    with pytest.raises(CheckpointError) as caught:
        weights.load("m.pt")
    golden_text(caught, {"(?<=Exception: ).*": "<what tokenizers says>"})
    assert "\n" not in str(caught.value)


def test_special_tokens_are_names_ids_or_texts_of_one_token(weights):
    weights.manifest('factory = "models.py:build"\nbegin_token = "<|endoftext|>"\nend_tokens = ["\\n", 5]')
    checkpoint = weights.load("m.pt")
    newline = checkpoint.tokenizer.encode("\n")[0]
    assert checkpoint.begin_token_ids == (1,)
    assert checkpoint.end_token_ids == {newline, 5}


def test_the_usual_end_token_is_assumed_and_said(weights, golden_text):
    checkpoint = weights.load("m.pt")
    assert checkpoint.end_token_ids == {1}
    golden_text(checkpoint.info.notes)
    weights.manifest('factory = "models.py:build"\nend_tokens = []')
    assert weights.load("m.pt").end_token_ids == frozenset()
