"""A run of Hugging Face's Trainer as it lies in a folder: data, checkpoint with tokenizer and log, and a manifest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import transformers
from batches import Batch, in_order, padded
from rows import Data, write_rows
from small_tokenizer import END, END_ID, PAD, PAD_ID, Encoded, apart, trained_tokenizer
from training_loop import train
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from random import Random

    from rows import Row
    from torch import Tensor, nn

    Collate = Callable[[Sequence[Encoded]], Batch]
    Encode = Callable[[Callable[[str], list[int]], Sequence[Row]], list[Encoded]]

EVALUATIONS = 5
SPARE = 512
"""Rows of the embedding: a multiple of 64, as most have, so that some have no token."""


def fast_tokenizer(rows: Iterable[Row], **settings: Any) -> PreTrainedTokenizerFast:
    """The small tokenizer as transformers loads it."""
    return PreTrainedTokenizerFast(tokenizer_object=trained_tokenizer(rows), eos_token=END, pad_token=PAD, **settings)


def ids_of(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], list[int]]:
    """Encode without what a tokenizer adds by itself."""
    return partial(tokenizer.encode, add_special_tokens=False)


def small_llama(vocabulary: int = SPARE, **settings: Any) -> LlamaForCausalLM:
    """A Llama of two narrow layers, seeded."""
    torch.manual_seed(1)
    config = LlamaConfig(
        **{
            "vocab_size": vocabulary,
            "hidden_size": 64,
            "intermediate_size": 160,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 256,
            "bos_token_id": None,
            "eos_token_id": END_ID,
            "pad_token_id": PAD_ID,
            "tie_word_embeddings": True,
        }
        | settings
    )
    return LlamaForCausalLM(config)


def logits_of(module: nn.Module, batch: Batch) -> Tensor:
    """The logits of a model of transformers."""
    logits: Tensor = module(input_ids=batch.inputs).logits
    return logits


def pretrained(data: Data, tokenizer: PreTrainedTokenizerFast, *, steps: int = 150, **settings: Any) -> Any:
    """A sound model that knows the rows: the one that fine-tuning begins with."""
    model = small_llama(**settings)
    train_rows, validation = (apart(ids_of(tokenizer), rows) for rows in (data.train, data.validation))

    def draw(rng: Random) -> Batch:
        return padded(rng.sample(train_rows, 16))

    train(model, draw, [padded(rows) for rows in in_order(validation)], steps=steps, logits=logits_of)
    return model


def write_base(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """The model in a folder of its own, as it is downloaded."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run_trainer(
    folder: Path,
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    data: Data,
    *,
    steps: int,
    rate: float = 4e-3,
    encode: Encode = apart,
    batch: Collate = padded,
    trainer: type[Trainer] = Trainer,
    **arguments: Any,
) -> Path:
    """Train, and return the folder of the last checkpoint: weights, tokenizer and ``trainer_state.json``."""
    transformers.set_seed(0)
    every = steps // EVALUATIONS
    settings = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=rate,
        lr_scheduler_type="cosine",
        warmup_steps=10,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        logging_steps=every,
        eval_strategy="steps",
        eval_steps=every,
        save_steps=steps,
        save_only_model=True,
        remove_unused_columns=False,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        **arguments,
    )
    train_rows, validation = (encode(ids_of(tokenizer), rows) for rows in (data.train, data.validation))
    trainer(
        model=model,
        args=settings,
        train_dataset=train_rows,
        eval_dataset=validation,
        data_collator=partial(_fields, batch),
        processing_class=tokenizer,
    ).train()
    return folder / f"checkpoint-{steps}"


def _fields(batch: Collate, rows: Sequence[Encoded]) -> dict[str, Tensor]:
    made = batch(rows)
    return {"input_ids": made.ids, "attention_mask": (made.ids != PAD_ID).long(), "labels": made.labels}


def write_data(folder: Path, data: Data, *model: str) -> None:
    """The rows, and a manifest that names them; ``model`` are lines of its table ``[model]``."""
    write_rows(folder / "train.jsonl", data.train)
    write_rows(folder / "validation.jsonl", data.validation)
    settings = ["[model]", *model, ""] if model else []
    lines = [*settings, "[data]", 'train = "train.jsonl"', 'validation = "validation.jsonl"']
    (folder / "evalharness.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
