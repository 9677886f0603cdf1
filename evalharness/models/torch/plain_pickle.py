"""Pickles of plain values, read without running any code; others need trust."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.torch.error_text import first_line

if TYPE_CHECKING:
    from pathlib import Path


class _PlainUnpickler(pickle.Unpickler):
    """Knows no classes and no functions: what is left are numbers, texts, lists and tables."""

    def find_class(self, module: str, name: str) -> Any:
        raise UntrustedError(f"reading it would run code: it asks for {module}.{name}, expected only plain values")


def read_pickle(path: Path, *, trust: bool) -> Any:
    """Read a pickle. Raises UntrustedError where it holds more than plain values and ``trust`` is not set."""
    try:
        with path.open("rb") as file:
            return pickle.load(file) if trust else _PlainUnpickler(file).load()  # noqa: S301 - only with trust
    except UntrustedError as error:
        raise UntrustedError(f"{path}: {error.reason}") from error
    except ModuleNotFoundError as error:
        raise CheckpointError(f"{path}: needs the package {error.name}: pip install {error.name}") from error
    except Exception as error:  # whatever a broken pickle raises
        raise CheckpointError(f"{path}: is no pickle that can be read: {first_line(error)}") from error
