"""Tokenizers of every kind of file that training loops keep."""

from __future__ import annotations

import base64
import io
import pickle
import sys
from importlib import util

import pytest

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.torch import huggingface, load_checkpoint, tokenizer_lookup
from evalharness.models.torch.tokenizer_files import read_tokenizer
from evalharness.models.torch.tokenizers import wrap
from evalharness.settings.manifest import find_manifest

TEXT = "def add(a, b):\n    return a + b\n"
LETTERS = sorted(set(TEXT + "xyz"))


class Calls:
    """Unpickling it would call a function."""

    def __reduce__(self):
        return (print, ("it was run",))


def test_the_characters_of_nanogpt_are_read_without_running_anything(tmp_path):
    file = tmp_path / "meta.pkl"
    tables = {"vocab_size": len(LETTERS), "stoi": {c: i for i, c in enumerate(LETTERS)}}
    file.write_bytes(pickle.dumps({**tables, "itos": dict(enumerate(LETTERS))}))
    tokenizer = read_tokenizer(file, trust=False)
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    assert (tokenizer.vocab_size, tokenizer.find("x")) == (len(LETTERS), LETTERS.index("x"))
    with pytest.raises(ValueError, match="☠"):
        tokenizer.encode("a☠")


def test_a_pickle_that_runs_code_needs_trust(tmp_path, capsys):
    file = tmp_path / "meta.pkl"
    file.write_bytes(pickle.dumps({"stoi": {"a": 0}, "more": Calls()}))
    with pytest.raises(UntrustedError, match="print"):
        read_tokenizer(file, trust=False)
    assert capsys.readouterr().out == ""
    assert read_tokenizer(file, trust=True).find("a") == 0


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(3)])
def test_a_pickle_of_something_else_is_one_line(tmp_path, content):
    file = tmp_path / "tokenizer.pkl"
    file.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_tokenizer(file, trust=False)
    assert "\n" not in str(caught.value)


@pytest.fixture
def sentencepiece_file(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT, "return x", "def y(z)", "a + b - c"] * 20),
        model_writer=model,
        vocab_size=290,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    file = tmp_path / "tokenizer.model"
    file.write_bytes(model.getvalue())
    return file


def test_a_model_of_sentencepiece_keeps_spaces_and_spells_what_it_lacks_in_bytes(sentencepiece_file):
    tokenizer = read_tokenizer(sentencepiece_file, trust=False)
    for text in (TEXT, "naïve ☠"):
        assert tokenizer.decode(tokenizer.encode(text)).removeprefix(" ") == text
    assert tokenizer.find("<s>") == 1
    assert tokenizer.end_ids == {2}
    assert tokenizer.decode(tokenizer.encode("return x")[:1]).startswith(" ")


def test_a_processor_of_the_users_code_is_known_too(sentencepiece_file):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_file))
    same = read_tokenizer(sentencepiece_file, trust=False)
    assert wrap(processor, "tokens.py:load").encode(TEXT) == same.encode(TEXT)


def ranks():
    return {bytes([i]): i for i in range(256)} | {b"re": 256, b"turn": 257, b"  ": 258}


@pytest.mark.parametrize("name", ["mine.tiktoken", "tokenizer.model"])
def test_ranks_of_tiktoken_are_read(tmp_path, name):
    pytest.importorskip("tiktoken")
    file = tmp_path / name
    file.write_bytes(b"".join(base64.b64encode(piece) + b" %d\n" % rank for piece, rank in ranks().items()))
    tokenizer = read_tokenizer(file, trust=False)
    assert tokenizer.decode(tokenizer.encode(TEXT + "☠")) == TEXT + "☠"
    assert tokenizer.find("re") == 256


def test_a_pickled_encoding_of_tiktoken_needs_trust_and_finds_special_tokens_by_name(tmp_path):
    tiktoken = pytest.importorskip("tiktoken")
    encoding = tiktoken.Encoding(
        "mine", pat_str=r"\S+|\s+", mergeable_ranks=ranks(), special_tokens={"<|bos|>": 259, "<|endoftext|>": 260}
    )
    file = tmp_path / "tokenizer.pkl"
    file.write_bytes(pickle.dumps(encoding))
    with pytest.raises(UntrustedError, match="tiktoken"):
        read_tokenizer(file, trust=False)
    tokenizer = read_tokenizer(file, trust=True)
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    assert (tokenizer.find("<|bos|>"), tokenizer.end_ids, tokenizer.vocab_size) == (259, {260}, 261)
    assert 259 not in tokenizer.encode("<|bos|>")


def test_an_encoding_that_tiktoken_has_by_name_is_used_where_the_hub_is_not_there(tmp_path, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    encoding = tiktoken.Encoding(
        "gpt2", pat_str=r"\S+|\s+", mergeable_ranks=ranks(), special_tokens={"<|endoftext|>": 300}
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda _: encoding)
    monkeypatch.setattr(huggingface.transformers.AutoTokenizer, "from_pretrained", refused)
    tokenizer = tokenizer_lookup._of_transformers("gpt2", trust=False, local=False)
    assert (tokenizer.encode(TEXT), tokenizer.end_ids) == (encoding.encode_ordinary(TEXT), {300})
    with pytest.raises(CheckpointError):
        tokenizer_lookup._of_transformers("nobody/has-it", trust=False, local=False)
    monkeypatch.setattr(tiktoken, "get_encoding", refused)
    with pytest.raises(CheckpointError):
        tokenizer_lookup._of_transformers("gpt2", trust=False, local=False)


def refused(*_, **__):
    raise OSError("no connection")


def test_the_begin_of_a_document_ends_the_one_before_it_where_tiktoken_has_no_end_of_text(tmp_path):
    tiktoken = pytest.importorskip("tiktoken")
    special = {"<|bos|>": 259, "<|user_end|>": 260, "<|assistant_end|>": 261}
    encoding = tiktoken.Encoding("mine", pat_str=r"\S+|\s+", mergeable_ranks=ranks(), special_tokens=special)
    file = tmp_path / "tokenizer.pkl"
    file.write_bytes(pickle.dumps(encoding))
    assert read_tokenizer(file, trust=True).end_ids == {259, 261}


def test_a_begin_token_is_named_by_its_text_or_its_id(project, state):
    import torch

    torch.save(state, project.folder / "m.pt")
    for token, ids in (('"<|endoftext|>"', (1,)), ("1", (1,)), ('"a"', (2,))):
        project.manifest(f'factory = "models.py:build"\nbegin_token = {token}')
        assert project.load("m.pt").begin_token_ids == ids


def test_a_tokenizer_beside_the_weights_is_found_whatever_its_kind(project, state):
    import torch

    torch.save(state, project.folder / "m.pt")
    (project.folder / "tokenizer.json").unlink()
    letters = [chr(97 + i) for i in range(26)]
    (project.folder / "meta.pkl").write_bytes(pickle.dumps({"stoi": {c: i for i, c in enumerate(letters)}}))
    assert project.load("m.pt").tokenizer.encode("abc") == [0, 1, 2]


@pytest.mark.parametrize(("name", "package"), [("tokenizer.model", "sentencepiece"), ("mine.tiktoken", "tiktoken")])
def test_a_package_that_lacks_is_named_with_the_extra_that_has_it(tmp_path, monkeypatch, name, package, golden_text):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"\x0a\x00" if package == "sentencepiece" else b"YQ== 0")
    with pytest.raises(CheckpointError) as caught:
        read_tokenizer(tmp_path / name, trust=False)
    golden_text(caught)


def test_a_folder_of_transformers_names_the_extra_that_its_tokenizer_needs(llama, monkeypatch):
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "sentencepiece" else find(name, *rest))
    (llama / "tokenizer.json").unlink()
    (llama / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match=r"evalharness\[tokenizers\]"):
        load_checkpoint(llama, find_manifest(llama))
