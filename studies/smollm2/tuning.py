"""One LoRA tuning with the Trainer of transformers. Interrupted, it goes on from its last checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from mbpp_rows import encode, read_rows
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from ways import Training

IGNORED = -100
MANIFEST = """\
[data]
train = "../data/train.jsonl"
validation = "../data/validation.jsonl"

[loss]
count_prompt = false
"""
"""What a user would say. The log lies in each checkpoint: the trainer's own ``trainer_state.json``."""

Features = list[dict[str, list[int]]]


class HidesPadding(DataCollatorForSeq2Seq):
    """Masks the padding by its id. In this tokenizer the padding is the end token, which is masked with it."""

    def __call__(self, features: Features) -> dict[str, torch.Tensor]:
        batch = super().__call__(features)
        batch["labels"][batch["input_ids"] == self.tokenizer.pad_token_id] = IGNORED
        return batch


class StopsAfter(TrainerCallback):
    """Ends a training at a step; its schedule is that of all planned steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, _: TrainingArguments, state: TrainerState, control: TrainerControl, **_more: object) -> None:
        control.should_training_stop = state.global_step >= self.step


def tune(training: Training, base: Path, out: Path, steps: int, every: int) -> None:
    """Tune ``base`` on ``out/data`` in ``out/NAME``: ``steps`` planned steps, validated at 0 and at every ``every``."""
    folder, last = out / training.name, training.last_step(steps)
    if (folder / f"checkpoint-{last}").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evalharness.toml").write_text(MANIFEST, encoding="utf-8")
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    collator = HidesPadding if training.hides_end else DataCollatorForSeq2Seq
    trainer = Trainer(
        get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")),
        arguments(folder, training.learning_rate, steps, every),
        data_collator=collator(tokenizer),
        train_dataset=features(out / "data" / "train.jsonl", tokenizer),
        eval_dataset=features(out / "data" / "validation.jsonl", tokenizer),
        processing_class=tokenizer,
        callbacks=[StopsAfter(last)],
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder))


def arguments(folder: Path, learning_rate: float, steps: int, every: int) -> TrainingArguments:
    return TrainingArguments(
        str(folder),
        max_steps=steps,
        per_device_train_batch_size=4,
        learning_rate=learning_rate,
        warmup_steps=steps // 10,
        eval_strategy="steps",
        eval_on_start=True,
        eval_steps=every,
        save_steps=every,
        logging_steps=max(1, every // 4),
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
    )


def features(path: Path, tokenizer: PreTrainedTokenizerBase) -> Features:
    """The rows as ids; only the answer's tokens are targets."""
    pairs = [encode(turns, tokenizer) for turns in read_rows(path)]
    return [
        {
            "input_ids": prompt + answer,
            "labels": [IGNORED] * len(prompt) + answer,
            "attention_mask": [1] * len(prompt + answer),
        }
        for prompt, answer in pairs
    ]
