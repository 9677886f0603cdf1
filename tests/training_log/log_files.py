"""How tests write a log and read it back."""

from __future__ import annotations

from pathlib import Path

from evalharness.training_log import read_log, read_logs


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, name: str, text: str) -> list[tuple[int, str, float]]:
    return [(p.step, p.split, p.loss_nats) for p in read_log(written(folder, name, text))]


def notes(folder: Path, name: str, text: str) -> tuple[str, ...]:
    return read_logs([written(folder, name, text)]).notes
