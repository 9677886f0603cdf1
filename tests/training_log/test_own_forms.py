"""Logs of loops of one's own, whatever they call their step and their losses; and what decides where that is open."""

import json
import math

import pytest
from log_files import read, written

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs, read_named

BOTH = [(100, "train", 5.9), (100, "validation", 5.92), (200, "train", 5.4), (200, "validation", 5.52)]
ROWS = [(100, 5.9, 5.92), (200, 5.4, 5.52)]
LINES = {
    "bars": "it {} | nll {:.2f} | val nll {:.2f}\n",
    "a sentence": "Step {}: training loss is {:.2f}, validation loss is {:.2f}\n",
    "colons": "batch: {}, train_loss: {:.2f}, val_loss: {:.2f}\n",
    "logfmt": "level=info n={} trn={:.2f} dev={:.2f} lr=0.001\n",
    "a dict": "{{'iters': {}, 'ce': {:.2f}, 'eval_ce': {:.2f}, 'lr': '1e-05'}}\n",
    "a moment": "[2026-01-02 10:20:30,123 INFO] update {} - train ce {:.3f} - valid ce {:.3f} - 46.0 tok/s\n",
    "arrows": "#{} train -> {:.2f} / val -> {:.2f}\n",
    "thousands": "it {} (12%) nll 9.9e0 | trn loss {:.2f}; held out: 7 files; val loss {:.2f}.\n",
}


@pytest.mark.parametrize("form", LINES.values(), ids=LINES.keys())
def test_lines_are_read_by_their_structure(tmp_path, form):
    if "9.9e0" in form:
        form = form.replace("nll 9.9e0 | ", "")
    text = "hello 3 world\n" + "".join(form.format(*row) for row in ROWS)
    assert sorted(read(tmp_path, "out.log", text)) == BOTH


CSVS = {
    "it": "it,train_loss,val_loss\n",
    "a long name": "effective_batch_number,training_loss,validation_loss\n",
    "other words": "k,trainNLL,valNLL\n",
    "splits alone": "iter,train,val\n",
    "splits shortened": "iter,trn,vld\n",
    "splits in the word": "it,tloss,vloss\n",
    "held out": "it,nll,held_out_nll\n",
}


@pytest.mark.parametrize("header", CSVS.values(), ids=CSVS.keys())
def test_a_table_without_a_known_step_is_read_by_the_column_that_grows(tmp_path, header):
    text = "time,tokens,epoch,lr," + header
    text += "".join(f"17000{i}.5,{i}000,0,1e-4,{step},{a},{b}\n" for i, (step, a, b) in enumerate(ROWS, 1))
    assert sorted(read(tmp_path, "metrics.csv", text)) == BOTH
    (step, *_) = read_logs([tmp_path / "metrics.csv"]).files[0].columns
    assert (step.role, step.examples) == ("step", (100, 200))


def test_nested_objects_are_read(tmp_path):
    rows = [{"i": s, "train": {"loss": a, "lr": 1e-4}, "val": {"loss": b}} for s, a, b in ROWS]
    assert sorted(read(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))) == BOTH


DOCUMENTS = {
    "a list": [{"loss": a, "val_loss": b, "step": s} for s, a, b in ROWS],
    "rows under a key": {"model": "x", "history": [{"nll": a, "dev": {"nll": b}, "it": s} for s, a, b in ROWS]},
    "lists": {"seed": [1], "steps": [s for s, _, _ in ROWS], "train": [5.9, 5.4], "val": {"ce": [5.92, 5.52]}},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_with_a_history_is_read(tmp_path, document, indent):
    assert sorted(read(tmp_path, "history.json", json.dumps(document, indent=indent))) == BOTH


def test_what_is_understood_is_kept_with_examples_and_how_sure_it_is(tmp_path):
    log = read_logs([written(tmp_path, "a.csv", "i,train_loss,val\n1,5.5,6.5\n2,5.25,6.25\n")])
    assert [(c.role, c.names, c.sure, c.examples) for c in log.files[0].columns] == [
        ("step", ("i",), "form", (1, 2)),
        ("train", ("train_loss",), "name", (5.5, 5.25)),
        ("validation", ("val",), "form", (6.5, 6.25)),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "it,train_ppl,val_perplexity\n100,{a},{b}\n"),
        ("a.jsonl", '{{"it": 100, "ppl": {a}, "val": {{"ppl": {b}}}}}\n'),
        ("a.log", "it 100 | train ppl {a} | val ppl {b}\n"),
        (
            "b.log",
            "[2020-01-01 00:00:00,000 INFO] Step 100/ 1000; acc: 5.6; ppl: {a}; lr: 0.1\nValidation perplexity: {b}\n",
        ),
    ],
)
def test_a_perplexity_becomes_the_loss_that_it_is_the_exponential_of(tmp_path, name, text):
    found = read(tmp_path, name, text.format(a=math.exp(5.0), b=math.exp(4.5)))
    assert [(step, split, round(loss, 6)) for step, split, loss in sorted(found)] == [
        (100, "train", 5.0),
        (100, "validation", 4.5),
    ]


def test_of_a_loss_and_its_perplexity_the_loss_is_read(tmp_path):
    assert read(tmp_path, "a.csv", "it,val_ppl,val_nll\n1,9,2.5\n2,9,2.25\n") == [
        (1, "validation", 2.5),
        (2, "validation", 2.25),
    ]
    text = "Step 1 | Loss: 2.5\nStep 1 | Val Loss: 2.25\nStep 1 | Val PPL: 99\n"
    assert len(read(tmp_path, "a.log", text)) == 2


BITS = {
    "a.csv": "it,train_loss,val_bpb\n1,2.5,1.0\n2,2.25,0.5\n",
    "a.log": "step 1 | loss: 2.5\nstep 1 | validation bpb: 1.0\nstep 2 | loss: 2.25\nstep 2 | validation bpb: 0.5\n",
}


@pytest.mark.parametrize(("name", "text"), BITS.items(), ids=BITS.keys())
def test_bits_per_byte_need_the_bytes_of_a_token(tmp_path, name, text):
    path = written(tmp_path, name, text)
    without = read_logs([path])
    assert {p.split for p in without.points} == {"train"}
    assert any("bytes_per_token" in note for note in without.notes)
    points = read_logs([path], LogKeys(bytes_per_token=4.0)).points
    assert [p.loss_nats for p in points if p.split == "validation"] == [math.log(2) * 4, math.log(2) * 2]


def test_a_log_of_bits_per_byte_alone_waits_for_the_bytes_of_a_token(tmp_path):
    path = written(tmp_path, "a.log", "it=100 bpb=1.90 val_bpb=1.0\nit=200 bpb=1.80 val_bpb=0.5\n")
    without = read_logs([path])
    assert (without.points, without.in_bits_per_byte) == ((), ("bpb", "val_bpb"))
    with pytest.raises(LogError, match="bytes_per_token"):
        read_named([path])
    points = read_named([path], LogKeys(bytes_per_token=4.0)).points
    assert [p.loss_nats for p in points if p.split == "validation"] == [math.log(2) * 4, math.log(2) * 2]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a,b,loss\n1,10,2.5\n2,20,2.25\n", "step"),
        ("it,loss_nll,ce\n1,2.5,3.5\n2,2.25,3.25\n", "train"),
        ("it,loss,dev_ce,eval_nats\n1,2,2.5,3.5\n2,1,2.25,3.25\n", "validation"),
    ],
)
def test_where_two_readings_are_possible_the_error_names_the_key_that_decides(tmp_path, text, key):
    path = written(tmp_path, "a.csv", text)
    with pytest.raises(LogError, match=rf"\[log\]\s{key}\s="):
        read_logs([path])
    names = text.split("\n", 1)[0].split(",")
    told = LogKeys(**{key: names[1] if key == "step" else names[-1]})
    assert read_logs([path], told).files[0].points


@pytest.mark.parametrize("late", ["val nll", "dev/ce"])
def test_a_name_that_comes_late_is_understood_as_well(tmp_path, late):
    begin = [(i, 9 - i / 1000) for i in range(1, 1_000)]
    lines = "".join(f"it {i} | nll {loss}\n" for i, loss in begin) + f"it 1000 | {late} 2.5\n"
    rows = "".join(json.dumps({"it": i, "nll": loss}) + "\n" for i, loss in begin)
    cells = f"i,nll,{late}\n" + "".join(f"{i},{loss},\n" for i, loss in begin) + "1000,,2.5\n"
    for name, text in (
        ("a.log", lines),
        ("a.jsonl", rows + json.dumps({"it": 1000, late: 2.5}) + "\n"),
        ("a.csv", cells),
    ):
        assert read(tmp_path, name, text)[-1] == (1000, "validation", 2.5), name
        told = read_logs([tmp_path / name], LogKeys(validation=late))
        assert told.points[-1].loss_nats == 2.5


def test_names_that_are_told_count_in_tables_and_in_lines(tmp_path):
    keys = LogKeys(step="it", train="trn", validation="vl")
    for name, text in (
        ("a.csv", "it,epoch_no,trn,vl,loss\n1,7,5.5,6.5,0\n"),
        ("a.jsonl", '{"it": 1, "trn": 5.5, "vl": 6.5, "loss": 0}\n'),
        ("a.log", "7 it 1 trn 5.5 vl 6.5 loss 0\n"),
    ):
        points = read_logs([written(tmp_path, name, text)], keys).points
        assert [(p.step, p.split, p.loss_nats) for p in points] == [(1, "train", 5.5), (1, "validation", 6.5)], name
    with pytest.raises(LogError, match="'nowhere'"):
        read_logs([tmp_path / "a.csv"], LogKeys(train="nowhere"))


def test_a_regular_expression_reads_any_line(tmp_path):
    path = written(tmp_path, "a.log", "<<7>> a=5.5\n  b=6.5\n<<8>> a=oops\n<<9>> a=1.2")
    keys = LogKeys(train=r"<<(?P<step>\d+)>> a=(?P<train>\S+)", validation=r"b=(?P<validation>\S+)")
    log = read_logs([path], keys)
    assert [(p.step, p.split, p.loss_nats) for p in log.points] == [(7, "train", 5.5), (7, "validation", 6.5)]
    assert len(log.notes) == 2
    for wrong in ("(?P<train>", "(?P<lr>.*)"):
        with pytest.raises(LogError, match="train"):
            read_logs([path], LogKeys(train=wrong))
    with pytest.raises(LogError, match="step"):
        read_logs([path], LogKeys(validation=r"b=(?P<validation>\S+)"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("all_results.json", '{\n "epoch": 3.0,\n "eval_loss": 2.5,\n "train_loss": 2.25\n}\n'),
        ("run_summary.json", '{"val_loss": 2.5, "train_loss": 2.25}\n'),
        ("train.log", "Val Loss: 9.0\n"),
        ("train.log", "loss: 9.0\nval loss: 9.5\n"),
        ("metrics.csv", "train_loss,val_loss\n2.5,2.75\n2.25,2.5\n"),
        ("log.jsonl", '{"train_loss": 2.5}\n{"train_loss": 2.25}\n'),
        ("history.json", '{"train_loss": [2.5, 2.25], "val_loss": [2.75, 2.5]}\n'),
        ("pandas.csv", ",train_loss\n0,2.5\n1,2.25\n"),
        ("pandas.csv", "Unnamed: 0,train_loss\n0,2.5\n1,2.25\n"),
    ],
)
def test_a_step_is_never_invented(tmp_path, name, text):
    with pytest.raises(LogError):
        read(tmp_path, name, text)


def test_a_summary_with_a_step_is_read(tmp_path):
    found = read(tmp_path, "wandb-summary.json", '{"_step": 70, "train/loss": 2.5, "eval/loss": 2.75, "_wandb": {}}')
    assert found == [(70, "train", 2.5), (70, "validation", 2.75)]


def test_epochs_are_the_steps_where_nothing_else_counts(tmp_path):
    text = "epoch,train_loss,val_loss\n0,5.5,6.5\n1,5.25,6.25\n"
    assert [p[0] for p in read(tmp_path, "a.csv", text)] == [0, 0, 1, 1]
    (note,) = read_logs([tmp_path / "a.csv"]).notes
    assert "epochs" in note


def test_batches_that_start_again_in_every_epoch_are_counted_on(tmp_path):
    text = "".join(f"epoch {e} batch {b} nll {9 - e - b / 100}\n" for e in (0, 1) for b in (0, 10, 20))
    assert [p[0] for p in read(tmp_path, "a.log", text)] == [0, 10, 20, 21, 31, 41]


@pytest.mark.parametrize("words", ["val acc", "best val loss", "aux loss", "val took", "grad norm", "policy entropy"])
def test_figures_of_other_things_are_no_losses(tmp_path, words):
    with pytest.raises(LogError):
        read(tmp_path, "a.log", f"it 1 {words} 0.5\nit 2 {words} 0.25\n")


def test_of_several_runs_the_named_one_is_read(tmp_path):
    files = {
        "export.csv": '"Step","a - train/loss","a - train/loss__MIN","b - train/loss"\n1,2.5,2,3.5\n2,2.25,2,3.25\n',
        "long.csv": "run_id,step,loss\na,1,2.5\na,2,2.25\nb,1,3.5\nb,2,3.25\n",
        "rows.jsonl": "".join(
            json.dumps({"run": run, "step": i, "loss": loss}) + "\n"
            for run, losses in {"a": (2.5, 2.25), "b": (3.5, 3.25)}.items()
            for i, loss in enumerate(losses, 1)
        ),
        "README.md": "".join(
            f"## {run}\n\n| Step | Training Loss |\n|---|---|\n| 1 | {x} |\n| 2 | {y} |\n\n"
            for run, x, y in (("a", 2.5, 2.25), ("b", 3.5, 3.25))
        ),
        "column.md": "| Run | Step | Training Loss |\n|---|---|---|\n"
        "| **a** | 1 | 2.5 |\n| | 2 | 2.25 |\n| b | 3 | 3.5 |\n| | 4 | 3.25 |\n",
    }
    for name, text in files.items():
        path = written(tmp_path, name, text)
        with pytest.raises(LogError, match=r"a,\sb;.*--run"):
            read_logs([path])
        assert [p.loss_nats for p in read_logs([path], LogKeys(run="b")).points] == [3.5, 3.25], name
        with pytest.raises(LogError, match=r":\sa,\sb$"):
            read_logs([path], LogKeys(run="c"))


def test_a_table_that_goes_on_in_another_is_one_run(tmp_path):
    rows = "## {}\n\n| Step | Training Loss |\n|---|---|\n| {} | 2.5 |\n\n"
    assert len(read(tmp_path, "README.md", rows.format("begun", 1) + rows.format("resumed", 2))) == 2
