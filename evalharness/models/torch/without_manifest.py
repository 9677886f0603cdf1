"""A manifest that names no factory is completed by what the checkpoint's project says of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import UntrustedError
from evalharness.models.torch.projects import Place, propose
from evalharness.settings.manifest import CODE_SPEC

if TYPE_CHECKING:
    from evalharness.models.torch.locate import Located
    from evalharness.models.torch.projects import Proposal
    from evalharness.settings.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Completed:
    """The manifest as it is used, and notes on what was added to it."""

    manifest: Manifest
    notes: tuple[str, ...] = ()


def completed(manifest: Manifest, located: Located, working_folder: Path, *, trust: bool) -> Completed:
    """Return the manifest with a factory for bare weights of a known project, and with what else that proposes.

    What the manifest says itself is kept. Raises UntrustedError where the model's code is the user's and ``trust`` is
    not set: no manifest asked for it to be run.
    """
    if located.kind != "weights" or manifest.model.factory is not None:
        return Completed(manifest)
    proposal = propose(Place(located.path, working_folder, trust=trust))
    if proposal is None:
        return Completed(manifest)
    if proposal.needs_trust and not trust:
        raise UntrustedError(
            f"{located.path}: a checkpoint of {proposal.project}; building its model runs {proposal.factory} "
            f"of {proposal.folder}"
        )
    return Completed(_with(manifest, proposal), (_reading_note(proposal), *proposal.notes))


def _with(manifest: Manifest, proposal: Proposal) -> Manifest:
    model, data = manifest.model, manifest.data
    tokenizer, forward = (_from_there(spec, manifest.folder) for spec in (model.tokenizer, model.forward))
    return replace(
        manifest,
        folder=proposal.folder,
        model=replace(
            model,
            factory=proposal.factory,
            args={**proposal.args, **model.args},
            forward=forward,
            tokenizer=tokenizer or proposal.tokenizer,
            context_length=model.context_length or proposal.context_length,
            begin_token=proposal.begin_token if model.begin_token is None else model.begin_token,
        ),
        data=replace(data, train=data.train or proposal.train, validation=data.validation or proposal.validation),
    )


def _from_there(spec: str | None, folder: Path) -> str | None:
    """A path, or the file of code, as it is seen from anywhere."""
    if spec is None:
        return None
    match = CODE_SPEC.fullmatch(spec)
    path = folder / (match["module"] if match else spec)
    if not path.exists():
        return spec
    return f"{path.resolve()}:{match['attribute']}" if match else str(path.resolve())


def _reading_note(proposal: Proposal) -> str:
    args = ", ".join(f"{name}={value!r}" for name, value in sorted(proposal.args.items()))
    said = [f"factory {proposal.factory}", f"args {args}" if args else "", _file("tokenizer", proposal.tokenizer)]
    said += [_file(name, path) for name, path in (("train", proposal.train), ("validation", proposal.validation))]
    return f"a checkpoint of {proposal.project}, read without a manifest: {'; '.join(filter(None, said))}"


def _file(name: str, path: Path | str | None) -> str:
    # A report that is handed on tells nothing of the machine.
    return "" if path is None else f"{name} {os.path.relpath(path) if Path(path).is_absolute() else path}"
