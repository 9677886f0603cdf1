"""Files of tokenizers by their kind: ``tokenizer.json``, sentencepiece, tiktoken's ranks, and pickles."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line
from evalharness.models.torch.piece_tokenizers import CharacterTokenizer, SentencePieceTokenizer, TiktokenTokenizer
from evalharness.models.torch.plain_pickle import read_pickle
from evalharness.models.torch.tokenizers import read_tokenizer_file, wrap

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.tokenizers import KnownTokenizer

# GPT-4's: a file of ranks does not say how a text is split before the ranks are used.
_SPLIT = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|"""
    r"""\s*[\r\n]|\s+(?!\S)|\s+"""
)
_GPT2_SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
_RANK = re.compile(rb"[A-Za-z0-9+/]+=* \d+")
_GPT2_NAMES = ("gpt2", "r50k", "p50k")
_FILES_OF_FOLDERS = ("tokenizer.model", "spiece.model", "*.tiktoken")


def read_tokenizer(path: Path, *, trust: bool) -> KnownTokenizer:
    """Read a tokenizer from a file. Raises CheckpointError where it is broken or its package is missing."""
    if path.suffix == ".model" and not _holds_ranks(path):
        return _sentencepiece(path)
    if path.suffix in {".model", ".tiktoken"}:
        return _ranks(path)
    if path.suffix in {".pkl", ".pickle"}:
        return _pickled(path, trust)
    return read_tokenizer_file(path)


def tiktokens_own(name: str) -> KnownTokenizer | None:
    """The encoding that tiktoken has under a name, such as the ``gpt2`` of nanoGPT's data; None if it has none here."""
    if importlib.util.find_spec("tiktoken") is None:
        return None
    tiktoken = importlib.import_module("tiktoken")
    if name not in tiktoken.list_encoding_names():
        return None
    try:
        return TiktokenTokenizer(tiktoken.get_encoding(name))
    except (OSError, ValueError):  # it may have to be downloaded
        return None


def _holds_ranks(path: Path) -> bool:
    """Whether each line is a piece and its rank, as in the ``tokenizer.model`` of Llama 3, which is tiktoken's."""
    with path.open("rb") as file:
        return _RANK.fullmatch(file.readline().rstrip()) is not None


def _sentencepiece(path: Path) -> KnownTokenizer:
    package = _package("sentencepiece", path)
    try:
        return SentencePieceTokenizer(package.SentencePieceProcessor(model_file=str(path)))
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{path}: is no model of sentencepiece: {first_line(error)}") from error


def _ranks(path: Path) -> KnownTokenizer:
    package = _package("tiktoken", path)
    split = _GPT2_SPLIT if path.name.startswith(_GPT2_NAMES) else _SPLIT
    try:
        ranks = package.load.load_tiktoken_bpe(str(path))
        return TiktokenTokenizer(package.Encoding(path.stem, pat_str=split, mergeable_ranks=ranks, special_tokens={}))
    except Exception as error:  # the library's own parser raises anything
        raise CheckpointError(f"{path}: holds no ranks of tiktoken: {first_line(error)}") from error


def _pickled(path: Path, trust: bool) -> KnownTokenizer:
    """The characters of nanoGPT's ``meta.pkl``, or an object such as tiktoken's ``Encoding``."""
    content = read_pickle(path, trust=trust)
    if isinstance(content, dict) and isinstance(content.get("stoi"), dict):
        return CharacterTokenizer({int(token_id): str(text) for text, token_id in content["stoi"].items()})
    return wrap(content, path.name)


def _package(name: str, path: Path) -> Any:
    try:
        if name == "tiktoken":
            importlib.import_module("tiktoken.load")
        return importlib.import_module(name)
    except ImportError as error:
        raise CheckpointError(needs_package(path, name)) from error


def lacking_package(folder: Path) -> str | None:
    """The package that a folder's tokenizer needs, if it has no ``tokenizer.json`` and the package is not installed."""
    if (folder / "tokenizer.json").is_file():
        return None
    for file in (file for pattern in _FILES_OF_FOLDERS for file in folder.glob(pattern)):
        package = "tiktoken" if file.suffix == ".tiktoken" or _holds_ranks(file) else "sentencepiece"
        return package if importlib.util.find_spec(package) is None else None
    return None


def needs_package(path: Path | str, name: str) -> str:
    """The line of a tokenizer whose package is not installed."""
    return f"{path}: its tokenizer needs the package {name}: pip install 'evalharness[tokenizers]'"
