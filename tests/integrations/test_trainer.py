"""The callback in a real trainer, on a tiny model with a tokenizer of its own, and the same in a plain loop."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import TrainerState

from evalharness import PreflightError
from evalharness.integrations import Beside, EvalHarnessCallback, beside

CODE = "def add(a, b):\n    return a + b\n"
PROBLEM = {
    "task_id": "own/0",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(f):\n    assert f(2, 3) == 5\n",
}


@pytest.fixture
def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = ["<end>", *(chr(i) for i in range(33, 127)), "Ġ", "Ċ"]
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    from tokenizers import decoders

    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<end>")


@pytest.fixture
def trainer(tmp_path: Path, tokenizer, monkeypatch):
    """Makes a trainer of a tiny model.

    ``shift`` is what its collator does to the labels, whose first 4 don't count; ``ends``: their end is learned.
    """
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.jsonl").write_text(json.dumps(PROBLEM) + "\n")

    def make(shift: int = 0, *, ends: bool = True) -> Trainer:
        config = GPT2Config(
            vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
        )
        ids = [*tokenizer(CODE)["input_ids"], tokenizer.eos_token_id]

        def collate(rows):
            batch = torch.tensor([row["input_ids"] for row in rows])
            labels = torch.full_like(batch, -100)
            labels[:, : batch.shape[1] - shift] = batch[:, shift:]
            labels[:, :MASKED] = -100
            if not ends:  # as a collator does it that masks what is padding by its id
                labels[batch == tokenizer.pad_token_id] = -100
            return {"input_ids": batch, "labels": labels}

        arguments = TrainingArguments(
            output_dir="run",
            max_steps=6,
            save_steps=3,
            logging_steps=2,
            eval_strategy="steps",
            eval_steps=3,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        return Trainer(
            GPT2LMHeadModel(config),
            arguments,
            train_dataset=[{"input_ids": ids}] * 16,
            eval_dataset=[{"input_ids": tokenizer(CODE.replace("add", name))["input_ids"]} for name in ("mul", "sub")],
            data_collator=collate,
            processing_class=tokenizer,
        )

    return make


FEW = {"problems": "own.jsonl", "samples": 0, "max_new_tokens": 8}
MASKED = 4


@pytest.fixture(autouse=True)
def usual_priority(monkeypatch):
    """Scores do not wait for the other tests, which run beside this one as training does."""
    monkeypatch.setattr(beside, "NICENESS", 0)


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_logs_preflight_and_the_figures_of_its_checkpoints(trainer):
    made = trainer()
    callback = EvalHarnessCallback(made, every=2, **FEW)
    made.add_callback(callback)
    made.train()
    logged = {key for row in made.state.log_history for key in row}
    assert {
        "evalharness/preflight_causes",
        "evalharness/own_greedy_pass@1",
        "evalharness/degenerate_greedy",
    } <= logged
    assert [card.checkpoint.step for card in callback.scorecards] == [6], "every second save"
    assert Path("reports/run/step_6/report.md").is_file()
    assert made.state.global_step == 6
    (card,) = callback.scorecards
    logged = [row["eval_loss"] for row in made.state.log_history if "eval_loss" in row]
    assert card.loss.logged_nats == pytest.approx(logged[-1], abs=1e-6)
    assert card.loss.recomputed_nats.estimate == pytest.approx(card.loss.logged_nats, abs=1e-4), "on the trainer's rows"
    assert [f.probe for f in card.findings if f.severity == "cause"] == []


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_whose_labels_are_shifted_twice_is_stopped_before_its_first_step(trainer):
    made = trainer(shift=1)
    made.add_callback(EvalHarnessCallback(made, **FEW))
    with pytest.raises(PreflightError, match="label_shift"):
        made.train()
    assert made.state.global_step == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ends", [True, False])
def test_what_preflight_finds_is_said_in_sentences_and_what_contributes_is_a_warning(trainer, caplog, ends):
    caplog.set_level(logging.INFO, logger="evalharness.trainer")
    made = trainer(ends=ends)
    callback = EvalHarnessCallback(made, keep_data=False, every=100, **FEW)
    callback.on_train_begin(made.args, made.state, made.control)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("no_end_token" in line for line in warned) is not ends
    counts = {key: value for row in made.state.log_history for key, value in row.items()}
    assert counts["evalharness/preflight_contributing"] == len(warned)
    told = {row["evalharness/preflight"] for row in made.state.log_history if "evalharness/preflight" in row}
    assert told >= set(warned)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("preflight"), "it says what it is doing before it has done it"


def scorer_of_sequences():
    from transformers import GPT2Config, GPT2ForSequenceClassification

    return GPT2ForSequenceClassification(
        GPT2Config(vocab_size=96, n_positions=64, n_embd=32, n_layer=1, n_head=2, pad_token_id=0)
    )


@pytest.mark.parametrize("kind", ["prompts that have no ids yet", "a model that scores whole texts"])
def test_a_training_that_preflight_can_not_be_asked_of_goes_on_without(trainer, kind):
    made = trainer()
    if kind == "prompts that have no ids yet":
        made.data_collator = lambda rows: [{"prompt": "add"} for _ in rows]
    else:
        made.model = scorer_of_sequences()
    callback = EvalHarnessCallback(made, keep_data=False, every=100, **FEW)
    with pytest.warns(UserWarning, match="preflight"):
        callback.on_train_begin(made.args, made.state, made.control)
    assert not any("evalharness/preflight_causes" in row for row in made.state.log_history)


@pytest.mark.filterwarnings("ignore")
def test_a_training_waits_for_its_scores_no_longer_than_it_was_told(trainer, caplog):
    caplog.set_level(logging.INFO, logger="evalharness.trainer")
    made = trainer()
    callback = EvalHarnessCallback(made, check=False, keep_data=False, wait_s=0.2, problems="warmup", samples=50)
    callback.on_save(made.args, TrainerState(global_step=3), made.control)
    (process,) = [callback._beside._running.process]
    callback.on_train_end(made.args, made.state, made.control)
    assert process.poll() is not None, "it was ended"
    assert callback.scorecards == []
    last = caplog.records[-1]
    assert last.levelno == logging.WARNING
    assert "checkpoint-3" in last.getMessage()
    assert any("waiting" in record.getMessage() for record in caplog.records[:-1])


KILLED = {
    "as it begins": (
        "from evalharness.integrations import Beside\n"
        "beside = Beside(problems='warmup', samples=200, max_new_tokens=1000, stop_loops=False)\n"
        "beside.saved('mine/step_10.pt')\n"
        "child = beside._running.process\n"
    ),
    "while it works": (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'evalharness.integrations.scoring_child', str(os.getpid()), '0']\n"
        "child = subprocess.Popen([*command, 'watch', 'mine', '--settle', '999', '--idle', '999'], stderr=-1)\n"
        "child.stderr.readline()\n"
    ),
}


@pytest.mark.parametrize("when", KILLED)
def test_the_process_beside_training_ends_with_a_script_that_was_killed(model_folder: Path, when: str):
    (model_folder / "model.pt").rename(model_folder / "step_10.pt")
    script = f"import os, signal\n{KILLED[when]}print(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=model_folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    until = time.monotonic() + 120
    while is_alive(int(done.stdout)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_alive(int(done.stdout))
    assert not list(model_folder.parent.glob("reports/*/*/scorecard.json")), "it had not come to its end"


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_plain_loop_gets_its_scorecards_while_it_goes_on(model_folder: Path, monkeypatch, golden_text):
    monkeypatch.chdir(model_folder.parent)
    weights = torch.load(model_folder / "model.pt")
    scoring = Beside(problems="mine/own.jsonl", samples=0, max_new_tokens=8)
    (model_folder / "model.pt").unlink()
    torch.save(weights, model_folder / "step_10.pt")
    assert scoring.saved(model_folder / "step_10.pt") == []
    assert [card.checkpoint.step for card in scoring.wait()] == [10]
    (model_folder / "step_20.pt").write_bytes(b"no weights")
    scoring.saved(model_folder / "step_20.pt")
    with pytest.warns(UserWarning, match=r"step_20\.pt"):
        assert scoring.wait() == []
    golden_text(scoring.faults, {"(?<=torch.save: ).*": "<what torch says>"})


def test_a_script_that_ends_before_its_scores_says_so(model_folder: Path, golden_text):
    (model_folder / "model.pt").rename(model_folder / "step_10.pt")
    script = (
        "from evalharness.integrations import Beside\n"
        "beside = Beside(problems='mine/own.jsonl', limit=1, samples=0, max_new_tokens=8)\n"
        "beside.saved('mine/step_10.pt')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=model_folder.parent, capture_output=True, text=True, check=True
    )
    golden_text(done.stderr)


IN_TWO = """
import json, os, sys, torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
from evalharness.integrations import EvalHarnessCallback

rank = int(os.environ["RANK"])

class SawACollapse(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if rank == 0 and state.global_step == 3:
            callback._must_stop = True  # as a score's verdict does it

config = GPT2Config(vocab_size=16, n_positions=16, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
arguments = TrainingArguments(
    output_dir="run", max_steps=50, save_steps=2, per_device_train_batch_size=1, report_to=[], use_cpu=True,
    ddp_backend="gloo", disable_tqdm=True,
)
rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 8
made = Trainer(GPT2LMHeadModel(config), arguments, train_dataset=rows)
callback = EvalHarnessCallback(made, check=False, keep_data=False, wait_s=0, samples=0)
made.add_callback(SawACollapse())
made.add_callback(callback)
given = []
callback._beside.saved = lambda path: given.append(path) or []
made.train()
with open(f"rank{rank}.json", "w") as file:
    json.dump({"step": made.state.global_step, "given": len(given)}, file)
"""


def test_of_a_training_in_two_processes_one_scores_and_both_stop_at_the_same_step(tmp_path: Path):
    (tmp_path / "train.py").write_text(IN_TWO)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "train.py"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300, capture_output=True)
    first, second = (json.loads((tmp_path / f"rank{i}.json").read_text()) for i in range(2))
    assert first == {"step": 4, "given": 2}
    assert second == {"step": 4, "given": 0}
