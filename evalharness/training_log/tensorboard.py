"""TensorBoard's event files, read by TensorBoard's own reader (``pip install 'evalharness[tensorboard]'``)."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evalharness.errors import LogError
from evalharness.records import LogPoint, LossPoint
from evalharness.training_log.columns import (
    EPOCHS,
    LOSSES,
    entropy_point,
    entropy_rank,
    is_entropy,
    is_of_rewards,
    plain_name,
    rank,
    split_of,
)
from evalharness.training_log.open_log import note_unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import Split
    from evalharness.training_log.log_keys import LogKeys
    from evalharness.training_log.open_log import OpenLog

FORM = "TensorBoard events"
PRIORITY = 95
NAMES = ("*tfevents*",)
"""TensorBoard itself goes by the name alone."""
FRAME_BYTES = 16
"""What a record takes beside its content: its length, and a checksum of each (TFRecord)."""


def recognises(_head: Sequence[str]) -> bool:
    """Never: the files are binary, and known by their name."""
    return False


def can_read() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the scalars that are losses or an entropy, with the epoch that is logged at the same step.

    They may be ``simple_value`` or tensors. Of several tags for one split the most telling is read, as of several
    columns. Reading ends at a record that is not whole, as TensorBoard's does; the note says how much comes after it.
    Raises :class:`LogError` where TensorBoard is not installed, or the file not there.
    """
    epochs: dict[int, float] = {}
    tagged_points: list[tuple[str, LogPoint]] = []
    tags: set[str] = set()
    for event in _events(log):
        for value in event.summary.value:
            tags.add(value.tag)
            source = f"{log.name}:{value.tag}"
            if plain_name(value.tag) in EPOCHS:
                epochs[event.step] = _scalar(value)
            elif split := _split(value.tag, log.keys):
                tagged_points.append(
                    (value.tag, LossPoint(event.step, split, _scalar(value), source, None, event.wall_time))
                )
            elif is_entropy(value.tag):
                entropy = entropy_point(event.step, _scalar(value), source, None, event.wall_time)
                tagged_points.append((value.tag, entropy))
    note_unread(log, tags)
    chosen = set(_most_telling(tags, log.keys))
    for tag in sorted(chosen):
        split = _split(tag, log.keys)
        log.understood[split or "entropy", tag] = "told" if split and getattr(log.keys, split) else "name"
    yield from (replace(point, epoch=epochs.get(point.step)) for tag, point in tagged_points if tag in chosen)


def _split(tag: str, keys: LogKeys) -> Split | None:
    """The split whose loss a tag is: the user's word goes before the name."""
    for split in LOSSES:
        named_tag = getattr(keys, split)
        if tag == named_tag or (named_tag is None and split_of(tag) == split):
            return split
    return None


def _most_telling(tags: set[str], keys: LogKeys) -> Iterator[str]:
    """The tag of each split's loss, and of the entropy. A loss beside rewards is that of a policy or of preferences."""
    yield from sorted(filter(is_entropy, tags), key=entropy_rank)[:1]
    of_rewards = any(map(is_of_rewards, tags))
    for split in LOSSES:
        if getattr(keys, split) or not of_rewards:
            yield from sorted((tag for tag in tags if _split(tag, keys) == split), key=partial(rank, split))[:1]


def _events(log: OpenLog) -> Iterator[Any]:
    if not log.path.is_file():
        raise LogError(f"{log.path}: can't be read: no such file")
    if not can_read():
        raise LogError(f"{log.path}: event files need the package tensorboard: pip install 'evalharness[tensorboard]'")
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader  # noqa: PLC0415 - optional
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - optional

    read_bytes = 0
    for record in RawEventFileLoader(str(log.path)).Load():
        read_bytes += len(record) + FRAME_BYTES
        yield Event.FromString(record)
    rest = log.path.stat().st_size - read_bytes
    if rest:
        log.notes.append(f"the last {rest:,} bytes are no whole record (being written, or damaged): not read")


def _scalar(value: Any) -> float:
    if value.HasField("tensor"):
        from tensorboard.util import tensor_util  # noqa: PLC0415 - optional

        return float(tensor_util.make_ndarray(value.tensor).item())
    return float(value.simple_value)
