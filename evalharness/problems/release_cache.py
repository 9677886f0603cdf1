"""Files of problem sets that are published at an address: fetched once, checked, and kept for this user."""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import urllib.error
import urllib.request
import zlib
from typing import TYPE_CHECKING, Protocol

from evalharness.errors import ProblemError
from evalharness.runs.cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIMIT_S = 60
_LARGEST_BYTES = 64 << 20


class Published(Protocol):
    """A set that is published: its newest file is at ``url``, and ``releases`` names the known ones by their sha256.

    ``file`` is what a local copy is called, ``variable`` names it in the environment.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - as above
    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def variable(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def releases(self) -> Mapping[str, str]: ...  # noqa: D102


def download(wanted: Published, folder: Path | None = None) -> Path:
    """The newest release of a set, from ``folder`` (default: this user's cache), or fetched into it.

    Raises ProblemError if it can't be fetched, or is another file than the one that was published.
    """
    path = (folder or cache_folder(os.environ)) / "problems" / wanted.url.rpartition("/")[2]
    if not path.is_file():
        _put(_fetched(wanted), path)
    return path


def _fetched(wanted: Published) -> bytes:
    try:
        with urllib.request.urlopen(wanted.url, timeout=_LIMIT_S) as answer:  # noqa: S310 - an address of this project
            content: bytes = answer.read(_LARGEST_BYTES)
        sha256 = hashlib.sha256(gzip.decompress(content)).hexdigest()
    except urllib.error.HTTPError as error:
        error.close()
        raise ProblemError(f"{wanted.name}: {wanted.url} can't be fetched ({error}); {_instead(wanted)}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ProblemError(f"{wanted.name}: {wanted.url} can't be fetched ({error}); {_instead(wanted)}") from error
    if sha256 not in wanted.releases:
        expected = next(iter(wanted.releases))
        raise ProblemError(
            f"{wanted.name}: {wanted.url} has the sha256 {sha256}, expected {expected}; {_instead(wanted)}"
        )
    return content


def _instead(wanted: Published) -> str:
    return f'name a local {wanted.file} by [problems."{wanted.name}"] path, or in {wanted.variable}'


def _put(content: bytes, path: Path) -> None:
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        raise ProblemError(
            f"{path}: can't be written ({error.strerror}); XDG_CACHE_HOME names another folder"
        ) from error
