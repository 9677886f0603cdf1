"""The checkpoint that a command means, and how it is to be scored: found once, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, ExtensionError
from evalharness.extensions import extensions
from evalharness.runs.naming import run_name, without_suffix
from evalharness.settings.score import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.extensions import Extension
    from evalharness.models.torch.locate import Located
    from evalharness.progress import Watcher
    from evalharness.settings.manifest import Manifest
    from evalharness.settings.score import ScoreOptions


@dataclass(frozen=True, slots=True)
class Target:
    """A path or a name of the hub as it was given, its manifest and settings, and the checkpoint that it means."""

    path: Path
    manifest: Manifest
    options: ScoreOptions
    located: Located

    is_server_alone: bool = False
    """Whether no checkpoint is loaded here: only another engine has the model, which ``path`` names."""

    @property
    def source(self) -> Path:
        """What the whole run is of: a model of the hub, the folder of a series, or a checkpoint that stands alone."""
        return self.located.source

    @property
    def place(self) -> Path:
        """Where it lies: at the path, or in this machine's cache of the hub."""
        return self.path if self.located.hub is None else self.located.hub.folder

    @property
    def run_name(self) -> str:
        """What its run's folder is called, unless that name is taken."""
        if self.located.hub is not None:
            return run_name(Path(self.located.hub.name))
        is_alone_in_folder = self.located.series is None and self.path.is_dir()
        return run_name(self.path.resolve() if is_alone_in_folder else self.source)

    @property
    def member_name(self) -> str:
        """What it is called in its run, if its step is not known: by its own name, if the run is called otherwise."""
        located, own = self.located, without_suffix(self.located.path.resolve())
        has_name = located.hub is None and (located.series is not None or located.path.is_dir())
        return own if has_name and own != self.run_name else "final"


def model_loader(path: Path) -> tuple[Extension | None, tuple[str, ...]]:
    """The loader of another package that recognises a path, if one does, and a line for each that can't be used."""
    loaders = extensions("models")
    faults = list(loaders.faults)
    for extension in loaders.loaded:
        try:
            if extension.guarded.recognises(path):
                return extension, tuple(faults)
        except ExtensionError as error:
            faults.append(str(error))
    return None, tuple(faults)


def find_target(path: Path | None, asked: Mapping[str, Any], watcher: Watcher | None = None) -> Target:
    """Find the manifest, the settings and the checkpoint of a path. No torch is imported and no weight is read.

    A model of the hub is downloaded; ``watcher`` sees it. Without a path the model is a server's alone. Raises
    :class:`EvalHarnessError` if there is no checkpoint or a setting is out of range.
    """
    from evalharness.settings.manifest import find_manifest

    if path is None:
        return _served_target(asked)

    manifest = find_manifest(path)
    return target_in(path, manifest, resolve(asked, manifest.score), watcher)


def target_in(path: Path, manifest: Manifest, options: ScoreOptions, watcher: Watcher | None = None) -> Target:
    """The same if manifest and settings are known."""
    from evalharness.models.torch import Located, locate

    loader, faults = model_loader(path)
    if loader is not None:
        return Target(path, manifest, options, Located("elsewhere", path, options.step))
    try:
        located = locate(path, manifest, options.step, revision=options.revision, watcher=watcher)
    except CheckpointError as error:
        # One of the loaders that can't be used may be the one that this path needs.
        raise CheckpointError("; ".join((str(error), *faults))) from error
    return Target(path, manifest, options, located)


def _served_target(asked: Mapping[str, Any]) -> Target:
    """A model that only another engine has, with the manifest of the working folder."""
    from evalharness.models.torch import Located, locate
    from evalharness.settings.manifest import find_manifest

    manifest = find_manifest(Path.cwd())
    options = resolve(asked, manifest.score)
    if options.backend == "vllm" and options.model is not None:
        name = Path(options.model)
        located = locate(name, manifest, options.step, revision=options.revision)
    else:
        name = Path(_served_name(options))
        located = Located("elsewhere", name, None)
    return Target(name, manifest, options, located, is_server_alone=True)


def _served_name(options: ScoreOptions) -> str:
    """What the server calls the model. Raises CheckpointError where the settings name none."""
    from evalharness.models.endpoint import Server, model_named

    if options.backend == "openai" and options.base_url is not None:
        return model_named(Server(options.base_url), options.model)
    raise CheckpointError(
        "no checkpoint is named: give the path of one, a server's model (--backend openai --base-url "
        "http://localhost:8000/v1), or a Hugging Face folder for vLLM (--backend vllm --model FOLDER)"
    )
