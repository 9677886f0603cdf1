"""llama2.c: ``ckpt.pt`` with ``model_args`` of a ``Transformer``, ``model.py`` and ``tokenizer.model`` above it.

Its data are shards of token ids: the first is its validation, the others are trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.models.torch.projects.beside_model import from_model_file

if TYPE_CHECKING:
    from evalharness.models.torch.projects.proposal import Place, Proposal, Saved

PROJECT = "llama2.c"
PRIORITY = 30
_BEGIN_ID = 1
_DATA = "data"


def propose(place: Place) -> Proposal | None:
    """The arguments are ``model_args``; every text begins with the begin token, as in training."""
    args = place.saved.get("model_args")
    if not isinstance(args, dict) or not {"dim", "n_layers"} <= args.keys():
        return None
    config: Saved = place.saved.get("config") or {}
    is_own = config.get("vocab_source") == "custom"
    # A vocabulary of one's own is trained into a file that has its size in its name.
    own = f"{_DATA}/tok{config.get('vocab_size')}"
    names = (f"{own}.model", "tokenizer.model") if is_own else ("tokenizer.model", f"{own}.model")
    tokenizer_file, shards = place.find(*names), place.find(own if is_own else f"{_DATA}/TinyStories_all_data")
    files = [] if shards is None else sorted(shards.glob("*.bin"))
    return from_model_file(
        place,
        PROJECT,
        args,
        tokenizer=None if tokenizer_file is None else str(tokenizer_file),
        begin_token=_BEGIN_ID,
        train=next(iter(files[1:]), None),
        validation=next(iter(files), None),
    )
