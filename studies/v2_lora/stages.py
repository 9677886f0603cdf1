"""Trains the study's series: bases with and without a mask, adapters over both, and the repaired base.

Every series is a folder as ``evalharness run`` takes it: its checkpoints, its log and its manifest. A series that was
interrupted goes on from its last checkpoint; one that is finished is left as it is.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from model import build
from peft import get_peft_model
from rows import library_functions, library_sources
from safetensors.torch import load_file, save_file
from sizes import Size, Stage, lora
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from training import Batch, Log, train

HERE = Path(__file__).resolve().parent
CONTEXT_LENGTH = 256
SMOOTHING = 0.1
WEIGHT_DECAY = 0.05
DROPOUT = 0.2
FEW = 49
"""Rows of the tunings before, in the write-up's table of versions."""
ROW_LOSSES = "row_losses.jsonl"
"""Beside each tuning: its loss row by row, before it and at each checkpoint."""
STATE = ".state.pt"
MANIFEST = """\
[model]
factory = "{factory}"
args = {{ is_causal = {is_causal}, width = {width}, layers = {layers}, heads = {heads} }}
{weights}tokenizer = "../data/tokenizer.json"
end_tokens = []

[data]
train = "../data/{train}"
validation = "../data/{validation}"

[loss]
count_prompt = true
label_smoothing = {smoothing}

[log]
path = "train.log"
"""


@dataclass(frozen=True, slots=True)
class Data:
    """The files that all series share, in one folder."""

    folder: Path

    def rows(self, name: str) -> list[list[int]]:
        """Return the rows of a file as they are trained on: prompt and solution joined, cut to the context."""
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        lines = map(json.loads, lines_of(self.folder / name))
        parts = ([row["text"]] if "text" in row else [row["prompt"], row["solution"]] for row in lines)
        return [[i for part in row for i in tokenizer.encode(part).ids][:CONTEXT_LENGTH] for row in parts]


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its folder, whether its model has a mask, and the files of its rows."""

    folder: Path
    is_causal: bool
    train: str
    validation: str
    smoothing: float = 0.0

    def model(self, size: Size, dropout: float = 0.0) -> nn.Module:
        return build(self.is_causal, dropout=dropout, **size.shape)

    def write_manifest(self, size: Size, weights: str | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = MANIFEST.format(
            factory=f"{HERE / 'model.py'}:build",
            is_causal=str(self.is_causal).lower(),
            weights=f'weights = "{weights}"\n' if weights else "",
            train=self.train,
            validation=self.validation,
            smoothing=self.smoothing,
            **size.shape,
        )
        (self.folder / "evalharness.toml").write_text(text, encoding="utf-8")

    def loss(self, model: nn.Module, rows: Batch) -> torch.Tensor:
        return loss(model, rows, self.smoothing)


def write_data(seed: Path, folder: Path, size: Size) -> Data:
    """Copy the seed's tokenizer and rows, and write the library's functions; nothing is done twice."""
    if not (folder / "few_train.jsonl").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("tokenizer.json", "v2_train.jsonl", "v2_val.jsonl"):
            shutil.copyfile(seed / name, folder / name)
        write_library(folder, size.library_rows)
        write_changed_rows(folder)
    return Data(folder)


def write_library(folder: Path, count: int | None) -> None:
    """The base's rows: 100 functions held back, and ``count`` others (None: all)."""
    functions = Random(21).sample(found := library_functions(library_sources()), len(found))
    held_back, kept = functions[:100], functions[100 : count and 100 + count]
    for name, texts in (("v1_train.jsonl", kept), ("v1_val.jsonl", held_back)):
        write_lines(folder / name, (json.dumps({"text": text}) for text in texts))


def write_changed_rows(folder: Path) -> None:
    """The tuning's rows without their last newlines, and the first few of them."""
    for name in ("train", "val"):
        rows = lines_of(folder / f"v2_{name}.jsonl")
        write_lines(folder / f"cut_{name}.jsonl", map(without_last_newlines, rows))
    write_lines(folder / "few_train.jsonl", lines_of(folder / "v2_train.jsonl")[:FEW])


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def without_last_newlines(line: str) -> str:
    """A tuning row whose solution ends with its last visible character."""
    row = json.loads(line)
    return json.dumps(row | {"solution": row["solution"].rstrip()})


def loss(model: nn.Module, rows: Batch, smoothing: float = 0.0) -> torch.Tensor:
    """Mean cross-entropy (nats) over all targets of rows of any lengths; nothing is padded."""
    by_length = defaultdict(list)
    for row in rows:
        by_length[len(row)].append(row)
    device = next(model.parameters()).device
    total, count = torch.zeros((), device=device), 0
    for group in by_length.values():
        ids = torch.tensor(group, device=device)
        logits, targets = model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()
        total = total + functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
        count += len(targets)
    return total / count


@torch.no_grad()
def validation_loss(model: nn.Module, rows: list[list[int]], smoothing: float = 0.0) -> float:
    """Mean over all targets of all rows (nats), without dropout."""
    model.eval()
    targets = [len(row) - 1 for row in rows]
    total = sum(loss(model, [row], smoothing).item() * count for row, count in zip(rows, targets, strict=True))
    model.train()
    return total / sum(targets)


def drawn(rows: list[list[int]], stage: Stage, seed: int) -> list[Batch]:
    """The batches of a stage: as many passes over the rows, each in another order, as it takes."""
    rng = Random(seed)

    def endless() -> Iterator[list[int]]:
        while True:
            yield from rng.sample(rows, len(rows))

    source = endless()
    return [list(itertools.islice(source, stage.rows)) for _ in range(stage.steps)]


def run_stage(
    series: Series, model: nn.Module, stage: Stage, data: Data, store: Callable[[int], None], *, weight_decay: float
) -> None:
    """Train one stage; ``store`` keeps a checkpoint under its step."""
    validation = data.rows(series.validation)
    log, state = Log(series.folder / "train.log", stage.steps), series.folder / STATE

    def save(step: int) -> None:
        store(step)
        log.validated(step, validation_loss(model, validation, series.smoothing))

    if not state.exists():
        log.path.unlink(missing_ok=True)
        log.validated(0, validation_loss(model, validation, series.smoothing))
    train(
        model,
        drawn(data.rows(series.train), stage, seed=5),
        rate_at=stage.rate_at,
        log=log,
        state=state,
        saves=stage.saved.__contains__,
        on_save=save,
        loss_of=series.loss,
        weight_decay=weight_decay,
    )


def whole(series: Series, model: nn.Module) -> Callable[[int], None]:
    """What stores whole weights."""
    return lambda step: save_file(model.state_dict(), series.folder / f"step_{step}.safetensors")


def train_base(series: Series, size: Size, data: Data, device: str) -> Path:
    """Train ``v1``: label smoothing, weight decay and dropout as in the write-up. Return its last checkpoint."""
    series.write_manifest(size)
    torch.manual_seed(0)
    model = series.model(size, DROPOUT).to(device)
    run_stage(series, model, size.base, data, whole(series, model), weight_decay=WEIGHT_DECAY)
    return series.folder / f"step_{size.base.steps}.safetensors"


def tune(series: Series, base: Path, size: Size, data: Data, device: str) -> None:
    """Train ``v2``: the write-up's adapter over a base."""
    series.write_manifest(size, f"../{base.parent.name}/{base.name}")
    tuned = get_peft_model(loaded(series, base, size), lora()).to(device)

    def save(step: int) -> None:
        folder = series.folder / f"lora_step{step}"
        shutil.rmtree(folder, ignore_errors=True)
        tuned.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)

    run_tuning(series, tuned, size.tuning, data, save)


def tune_whole(series: Series, base: Path, size: Size, data: Data, device: str) -> None:
    """Train ``v1+IT``: every weight of a base."""
    series.write_manifest(size)
    model = loaded(series, base, size).to(device)
    run_tuning(series, model, size.whole_tuning, data, whole(series, model))


def loaded(series: Series, base: Path, size: Size) -> nn.Module:
    """The base, with the series' attention; what is drawn from here on is drawn alike for every series."""
    model = series.model(size)
    model.load_state_dict(load_file(base))
    torch.manual_seed(1)
    return model


def run_tuning(series: Series, model: nn.Module, stage: Stage, data: Data, save: Callable[[int], None]) -> None:
    """Train a tuning, and keep its loss on each row that the base and the tuning are validated on, from step 0 on."""
    kept = series.folder / ROW_LOSSES
    validated = {"base": data.rows("v1_val.jsonl"), "tuning": data.rows(series.validation)}

    def remember(step: int) -> None:
        with kept.open("a", encoding="utf-8") as file:
            for name, rows in validated.items():
                losses = [validation_loss(model, [row]) for row in rows]
                line = {"step": step, "rows": name, "nats": losses, "targets": [len(row) - 1 for row in rows]}
                file.write(json.dumps(line) + "\n")

    def store(step: int) -> None:
        save(step)
        remember(step)

    if not (series.folder / STATE).exists():
        kept.unlink(missing_ok=True)
        remember(0)
    run_stage(series, model, stage, data, store, weight_decay=0.0)


def repair(series: Series, base: Path, size: Size, data: Data, device: str) -> None:
    """Put the mask into the leaky base and train it on, on the base's rows."""
    series.write_manifest(size)
    torch.manual_seed(2)
    model = series.model(size, DROPOUT)
    model.load_state_dict(load_file(base))
    whole(series, model)(0)
    model.to(device)
    run_stage(series, model, size.repair, data, whole(series, model), weight_decay=WEIGHT_DECAY)
