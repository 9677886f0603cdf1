"""Models of the Hugging Face hub: a name and a revision become a folder in this machine's cache.

Nothing is downloaded that is there already, and of a repository only what evalharness reads: one set of weights, and
the small files. Without a connection the cache is used as it is.
"""

from __future__ import annotations

import contextlib
import glob
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.models.torch.error_text import first_line, some
from evalharness.models.torch.hub_files import chosen_files
from evalharness.models.torch.hub_progress import Mebibytes
from evalharness.models.torch.weight_names import GGUF_SUFFIX, INDEX_SUFFIX, WEIGHT_SUFFIXES
from evalharness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.progress import Watcher

DEFAULT_REVISION = "main"
_SUFFIXES_OF_FILES = frozenset((*WEIGHT_SUFFIXES, GGUF_SUFFIX, ".json", ".jsonl", ".toml"))


@dataclass(frozen=True, slots=True)
class HubFolder:
    """A model of the hub in the cache. ``commit`` is what ``revision`` (a branch, a tag or a commit) means today."""

    name: str
    revision: str
    commit: str
    folder: Path

    @property
    def repository(self) -> Path:
        """The folder in the cache that holds every commit of this model."""
        return self.folder.parent.parent

    def __str__(self) -> str:
        return f"{self.name} of the hub, revision {self.revision}, commit {self.commit[:12]}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no folder, and what to do. ``is_known``: the hub has such a model, the name is not mistyped."""

    reason: str
    remedy: str
    is_known: bool = False

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


def is_hub_name(name: str) -> bool:
    """Whether a text can be the name of a model of the hub: ``Qwen/Qwen2.5-Coder-0.5B``, or ``gpt2``."""
    if Path(name).suffix in _SUFFIXES_OF_FILES:
        return False
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # noqa: PLC0415 - takes a while to import

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def name_on_hub(path: Path, folder: Path) -> str | None:
    """The name of the hub that a file in ``folder`` gives where a path is expected; None if something lies there."""
    if path.exists() or not path.is_relative_to(folder):
        return None
    name = path.relative_to(folder).as_posix()
    return name if is_hub_name(name) else None


def fetch(
    name: str, revision: str | None = None, *, series: bool = False, watcher: Watcher | None = None
) -> HubFolder | Refused:
    """Bring a model of the hub into the cache, as far as it is not there, and return its folder.

    ``series`` also brings the checkpoints in the folders of a repository that has weights of its own at the top.
    If the hub can't be asked or refuses, what the cache holds is taken, and ``watcher`` is told.
    """
    from huggingface_hub.errors import HTTPError  # noqa: PLC0415 - that of its client

    wanted, watcher = revision or DEFAULT_REVISION, watcher or Silent()
    try:
        with _quiet():
            folder = _downloaded(name, wanted, watcher, series=series)
    except (HTTPError, OSError, ValueError) as error:  # what answers may be no hub
        refused = _refused(name, wanted, error)
    else:
        return folder if isinstance(folder, Refused) else HubFolder(name, wanted, folder.name, folder)
    cached = _cached(name, wanted)
    if cached is None:
        return refused
    watcher.say(f"{name}: {refused.reason}; taken from the cache of this machine")
    return HubFolder(name, wanted, cached.name, cached)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No lines of the hub's client: what matters in them is raised or told here."""
    from huggingface_hub.utils import logging  # noqa: PLC0415 - takes a while to import

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _downloaded(name: str, revision: str, watcher: Watcher, *, series: bool) -> Path | Refused:
    from huggingface_hub import HfApi, constants, snapshot_download  # noqa: PLC0415 - takes a while to import

    timeout_s = constants.HF_HUB_ETAG_TIMEOUT
    info = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=timeout_s)
    sizes = _sizes(name, info)
    choice = chosen_files(sizes, series=series)
    if not choice.weights:
        return _without_weights(name, sizes, choice.candidates)
    progress = Mebibytes(watcher, name, sum(sizes[file] for file in _not_cached(name, info.sha, choice.files)))
    folder = snapshot_download(
        name,
        revision=revision,
        allow_patterns=[glob.escape(file) for file in choice.files],
        tqdm_class=progress.bars(),
    )
    progress.finished()
    return Path(folder)


def _sizes(name: str, info: Any) -> dict[str, int]:
    """The size of each file in bytes. A mirror of the hub may only tell it of the tree of a commit."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - takes a while to import

    files = info.siblings or ()
    if not files or any(file.size is None for file in files):
        tree = HfApi().list_repo_tree(name, recursive=True, revision=info.sha)
        files = [entry for entry in tree if hasattr(entry, "size")]
    return {file.rfilename: file.size for file in files}


def _without_weights(name: str, there: Iterable[str], candidates: tuple[str, ...]) -> Refused:
    if not candidates:
        reason = f"has no weights on the hub that evalharness reads (files: {some(there)})"
        return Refused(reason, "name another model", is_known=True)
    reason = f"has several GGUF files on the hub: {some(candidates)}"
    return Refused(reason, f"choose one by hf download {name} {candidates[0]}, and give its path", is_known=True)


def _not_cached(name: str, commit: str | None, files: Iterable[str]) -> list[str]:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - takes a while to import

    return [file for file in files if not isinstance(try_to_load_from_cache(name, file, revision=commit), str)]


def _cached(name: str, revision: str) -> Path | None:
    """The folder of a revision in the cache, if it holds whole weights."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes a while to import

    try:
        # No file is asked for: the cache does not know which of them evalharness reads.
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=[]))
    except OSError:
        return None
    return folder if _has_whole_weights(folder) else None


def _has_whole_weights(folder: Path) -> bool:
    """Whether there are weights, and every shard that an index names."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    weights = chosen_files(files, series=True).weights
    return bool(weights) and all(_has_shards(folder / file) for file in weights if file.endswith(INDEX_SUFFIX))


def _has_shards(index: Path) -> bool:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return all((index.parent / name).is_file() for name in set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _refused(name: str, revision: str, error: Exception) -> Refused:
    """What a failed download means for whoever asked for it."""
    from huggingface_hub import errors  # noqa: PLC0415 - takes a while to import

    is_wrapped = isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None
    cause: Any = error.__cause__ if is_wrapped else error
    match cause:
        case errors.HfHubHTTPError():
            return _answered(name, revision, cause)
        case errors.OfflineModeIsEnabled():
            reason = "HF_HUB_OFFLINE is set"
        case errors.HTTPError() | ConnectionError() | TimeoutError():
            reason = f"the hub can't be reached ({type(cause).__name__})"
        case _:
            return Refused("can't be downloaded", first_line(cause), is_known=True)
    return Refused(reason, _elsewhere(name, revision))


def _answered(name: str, revision: str, error: Any) -> Refused:
    """What the hub's own answer means."""
    from huggingface_hub import constants, errors  # noqa: PLC0415 - takes a while to import

    status = error.response.status_code
    token = "set HF_TOKEN (or hf auth login)"  # noqa: S105 - no password
    match error:
        case errors.GatedRepoError():
            page = f"{constants.ENDPOINT}/{name}"
            return Refused("is gated on the hub", f"ask for access at {page}, and {token}", is_known=True)
        case errors.RevisionNotFoundError():
            expected = "expected a branch, a tag or a commit; see --revision"
            return Refused(f"has no revision {revision!r} on the hub", expected, is_known=True)
        case errors.RepositoryNotFoundError():
            return Refused("no model of that name on the hub", f"check the name; for a private model {token}")
        case _ if status in {401, 403, 404}:
            return Refused(f"the hub refuses it (HTTP {status})", f"check the name, and {token}")
        case _:
            return Refused(f"the hub answers HTTP {status}", f"try again; {_elsewhere(name, revision)}")


def _elsewhere(name: str, revision: str) -> str:
    option = "" if revision == DEFAULT_REVISION else f" --revision {revision}"
    download = f"run hf download {name}{option} where there is a connection"
    return f"the cache of this machine has no whole copy: {download}, or give a local path"
