"""Randomness that depends on what is drawn and on nothing else."""

from __future__ import annotations

import struct
from hashlib import blake2b


class Noise:
    """Uniform numbers for one completion, one for each position, by a keyed hash of the position.

    The same (seed, task, completion, position) gives the same number in whatever order, batch or process it is asked
    for: nothing is stateful. 53 bits of BLAKE2b (RFC 7693) over the position, keyed by the rest.
    """

    __slots__ = ("_key",)

    def __init__(self, seed: int, task_id: str, completion_id: int) -> None:
        identity = f"{seed}\x00{completion_id}\x00{task_id}".encode("utf-8", "surrogatepass")
        self._key = blake2b(identity, digest_size=32, person=b"evalharness").digest()

    def uniform(self, position: int) -> float:
        """A number in [0, 1) for the token at ``position`` of the completion, counted from 0."""
        digest = blake2b(struct.pack("<Q", position), digest_size=8, key=self._key).digest()
        return float(int.from_bytes(digest, "little") >> 11) * 2.0**-53
