"""A replica: the checkpoint, loaded once more in another process, to complete requests there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvaluationError
from evalharness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.generation import Prompting, Request, Settings
    from evalharness.models.protocols import Generator
    from evalharness.pipeline.target import Target
    from evalharness.records import Completion, Identity
    from evalharness.settings.score import DtypeName


@dataclass(frozen=True, slots=True)
class ReplicaOrder:
    """What a replica is made from; calling it loads the checkpoint.

    ``fingerprint`` is that of the checkpoint which this one must be equal to, ``dtype`` is its number format.
    ``device`` is where it runs, if not where the settings say.
    """

    target: Target
    prompting: Prompting
    settings: Settings
    fingerprint: str
    dtype: DtypeName
    device: str | None = None

    def __call__(self) -> Replica:
        """Load it. Raises EvaluationError if it is another checkpoint by now."""
        from evalharness.generation import TorchGenerator
        from evalharness.pipeline.loading import load_model

        options = self.target.options
        options = replace(options, device=self.device or options.device, dtype=self.dtype)
        checkpoint = load_model(replace(self.target, options=options), Silent())
        if checkpoint.info.fingerprint != self.fingerprint:
            raise EvaluationError(f"{self.target.path}: a replica loads other files: they have changed meanwhile")
        return Replica(
            TorchGenerator(checkpoint.model, checkpoint.tokenizer, self.prompting, self.settings, checkpoint.token_mask)
        )


@dataclass(frozen=True, slots=True)
class Replica:
    """A `Worker` that completes requests."""

    generator: Any

    def work(self, items: Mapping[Identity, Request]) -> Iterator[Mapping[Identity, Completion]]:
        """Yield each completion as it is finished."""
        from evalharness.generation import fastest_threads

        generator: Generator = self.generator
        with fastest_threads(self.generator.model):
            for made in generator.complete(list(items.values())):
                yield {made.identity: made}
