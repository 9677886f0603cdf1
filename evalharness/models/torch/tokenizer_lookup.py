"""Which tokenizer a checkpoint has, and what its special tokens are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, ManifestError
from evalharness.models.torch.error_text import nearest
from evalharness.models.torch.tokenizer_files import read_tokenizer, tiktokens_own
from evalharness.models.torch.tokenizers import KnownTokenizer, read_tokenizer_file, wrap
from evalharness.models.torch.weight_names import GGUF_SUFFIX
from evalharness.settings.manifest import is_code_spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.models.torch.factory import UserCode, UserObject
    from evalharness.settings.manifest import Manifest

TOKENIZER_FILE = "tokenizer.json"
_TRANSFORMERS_FILES = ("tokenizer_config.json", "tokenizer.model", "vocab.json", "spiece.model")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FILE_SUFFIXES = (".json", ".model", ".txt", ".pkl", ".pickle", ".tiktoken", GGUF_SUFFIX)
RANKS_SUFFIX = ".tiktoken"
_OTHER_FILES = ("tokenizer.model", "tokenizer.pkl", "meta.pkl")

# How the field names the token that ends a text, where nobody says.
_USUAL_END_TOKENS = ("<|endoftext|>", "</s>", "<eos>", "<|eos|>", "[EOS]", "<|end_of_text|>")


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids that go before every prompt and those that end a text."""

    begin: tuple[int, ...]
    end: frozenset[int]
    notes: tuple[str, ...]


def find_tokenizer(
    manifest: Manifest, code: UserCode, places: Iterable[Path], *, trust: bool
) -> tuple[KnownTokenizer, UserObject | None]:
    """Return the tokenizer that the manifest names, or that lies in the first of ``places`` that has one.

    A place is a folder, or a GGUF file, which has its own. The second value is the user's code that made it, if any
    did. Raises CheckpointError where there is none.
    """
    spec = manifest.model.tokenizer
    if spec is not None:
        return _named(spec, manifest.folder, code, trust)
    places = list(dict.fromkeys(places))
    for place in places:
        if place.suffix == GGUF_SUFFIX:
            return _of_transformers(place, trust, local=True), None
        if (place / TOKENIZER_FILE).is_file() and not (place / "tokenizer_config.json").is_file():
            return read_tokenizer_file(place / TOKENIZER_FILE), None
        other = [place / name for name in _OTHER_FILES if (place / name).is_file()] or lone_ranks(place)
        if other and not (place / "tokenizer_config.json").is_file():
            return read_tokenizer(other[0], trust=trust), None
        if any((place / name).is_file() for name in (TOKENIZER_FILE, *_TRANSFORMERS_FILES)):
            return _of_transformers(place, trust, local=True), None
    listed = ", ".join(str(place) for place in places)
    files = ", ".join((TOKENIZER_FILE, *_OTHER_FILES, f"*{RANKS_SUFFIX}"))
    raise CheckpointError(f"there is no {files} in {listed}: put one there, or name it: [model] tokenizer = …")


def lone_ranks(folder: Path) -> list[Path]:
    """The one file of tiktoken's ranks in a folder, whatever its name; none where there are several."""
    ranks = sorted(folder.glob(f"*{RANKS_SUFFIX}"))
    return ranks if len(ranks) == 1 else []


def find_special_tokens(manifest: Manifest, tokenizer: KnownTokenizer, end_of_model: frozenset[int]) -> SpecialTokens:
    """Resolve the manifest's names and ids, or what tokenizer and model say themselves. Notes say what was assumed.

    ``end_of_model`` are the end ids of a model's own configuration. Raises ManifestError for an unknown token.
    """
    notes = []
    begin = tokenizer.begin_ids
    if manifest.model.begin_token is not None:
        begin = (_token_id(manifest, "begin_token", manifest.model.begin_token, tokenizer),)
    elif begin:
        notes.append(f"every prompt begins with {tokenizer.decode(begin)!r}: the tokenizer puts it there")
    if manifest.model.end_tokens is not None:
        end = frozenset(_token_id(manifest, "end_tokens", item, tokenizer) for item in manifest.model.end_tokens)
        return SpecialTokens(begin, end, tuple(notes))
    end = tokenizer.end_ids | end_of_model
    if not end:
        end, note = _usual_end(tokenizer)
        notes.append(note)
    return SpecialTokens(begin, end, tuple(notes))


def _usual_end(tokenizer: KnownTokenizer) -> tuple[frozenset[int], str]:
    names = set(tokenizer.names())
    for name in _USUAL_END_TOKENS:
        end_id = tokenizer.find(name) if name in names else None
        if end_id is not None:
            return frozenset({end_id}), f"{name} ends a text, by its name; set [model] end_tokens to change it"
    return frozenset(), "no end token is known: texts end at a stop sequence or a limit"


def _token_id(manifest: Manifest, key: str, value: str | int, tokenizer: KnownTokenizer) -> int:
    if isinstance(value, int):
        if value in tokenizer.token_ids:
            return value
        raise ManifestError(f"{manifest.path}: [model] {key}: the tokenizer has no id {value}")
    token_id = tokenizer.find(value)
    if token_id is None:
        known = nearest(value, tokenizer.names())
        raise ManifestError(f"{manifest.path}: [model] {key}: the tokenizer has no token {value!r} ({known})")
    return token_id


def _named(spec: str, folder: Path, code: UserCode, trust: bool) -> tuple[KnownTokenizer, UserObject | None]:
    path = folder / Path(spec).expanduser()
    if path.is_dir():
        # A folder with nothing but the file needs no transformers, and no configuration of a model.
        has_config = any((path / name).is_file() for name in _TRANSFORMERS_FILES)
        if not has_config and (path / TOKENIZER_FILE).is_file():
            return read_tokenizer_file(path / TOKENIZER_FILE), None
        return _of_transformers(path, trust, local=True), None
    if path.suffix == GGUF_SUFFIX and path.is_file():
        return _of_transformers(path, trust, local=True), None
    if path.is_file():
        return read_tokenizer(path, trust=trust), None
    if is_code_spec(spec):
        user_object = code.load(spec, "tokenizer")
        return _of_code(user_object, code), user_object
    if _HUB_NAME.fullmatch(spec) is None or spec.endswith(_FILE_SUFFIXES):
        raise CheckpointError(f"tokenizer = {spec!r}: there is no {path}, and it is no hub name")
    return _of_transformers(spec, trust, local=False), None


def _of_code(user_object: UserObject, code: UserCode) -> KnownTokenizer:
    value: Any = user_object.value
    # A class has an unbound `encode` as well: it is called like a function.
    if isinstance(value, type) or not hasattr(value, "encode"):
        value = code.call(user_object, "tokenizer")
    with code.running(), code.explained(f"tokenizer = {user_object.spec!r}"):
        return wrap(value, user_object.spec)


def _of_transformers(name: Path | str, trust: bool, *, local: bool) -> KnownTokenizer:
    from evalharness.models.torch import huggingface  # noqa: PLC0415 - transformers takes seconds to import

    try:
        return huggingface.load_tokenizer(name, trust=trust, local=local)
    except CheckpointError:
        tokenizer = tiktokens_own(str(name))
        if tokenizer is None:
            raise
        return tokenizer
