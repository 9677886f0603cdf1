"""What the report of a run says of its data, its base and its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import report_example
import run_example as example

from evalharness.pipeline.data_facts import data_files
from evalharness.pipeline.run_facts import facts_of
from evalharness.pipeline.run_inputs import run_inputs
from evalharness.records import LossPoint
from evalharness.report import run_document
from evalharness.report.parts import BulletList, Code, Listing
from evalharness.report.sections.beginnings import beginnings_table
from evalharness.report.sections.files_section import files_section
from evalharness.report.text_ends import BLANK, beginning, ending
from evalharness.runs.json_values import plain
from evalharness.runs.run_record import DataFile, RunRecord, read_run_record, write_run_record
from evalharness.settings.manifest import DataSettings, Manifest, ModelSettings, as_seen_from_here

ROWS = [
    {"id": f"{origin}_{i}", "prompt": f'def f{i}(x):\n    """Say."""\n', "solution": f"    return {i}\n"}
    for i, origin in enumerate(["mbpp", "mbpp", "he"])
]


def manifest(folder: Path, rows=ROWS, **model) -> Manifest:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Manifest(None, folder, ModelSettings(**model), DataSettings(train=folder / "train.jsonl"))


def data_file(tmp_path: Path, rows=ROWS) -> DataFile:
    (read,) = data_files(manifest(tmp_path, rows), str)
    return read


def test_data_is_said_with_its_source_its_form_and_its_first_row(tmp_path):
    read = data_file(tmp_path)
    assert (read.split, read.rows, read.read) == ("train", 3, 3)
    assert read.origins == (("mbpp", 2), ("he", 1))
    assert read.fields == (("id", "str"), ("prompt", "str"), ("solution", "str"))
    assert (read.prompt, read.completion) == (ROWS[0]["prompt"], ROWS[0]["solution"])
    assert read.prompt_endings == (('"""\n', 3),)
    assert read.completion_beginnings == (("    return", 3),)


def test_ids_that_all_begin_alike_say_nothing_of_the_source_and_a_field_of_it_does(tmp_path):
    alike = [{**row, "id": f"train/{i}"} for i, row in enumerate(ROWS)]
    assert data_file(tmp_path, alike).origins == ()
    assert data_file(tmp_path, [{**row, "source": "book"} for row in alike]).origins == (("book", 3),)


def test_a_path_is_shown_without_detours_but_for_those_that_a_link_makes_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/leaky", "runs/causal", "far/away"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs/linked").symlink_to(tmp_path / "far/away")
    assert as_seen_from_here(Path("runs/leaky/../causal/train.jsonl")) == "runs/causal/train.jsonl"
    assert as_seen_from_here(tmp_path / "runs/leaky/../../val.jsonl") == "val.jsonl"
    assert as_seen_from_here(Path("runs/linked/../val.jsonl")) == "runs/linked/../val.jsonl"


def test_data_that_has_gone_is_left_out(tmp_path):
    of = manifest(tmp_path)
    (tmp_path / "train.jsonl").unlink()
    assert data_files(of, str) == ()


def test_a_text_begins_and_ends_with_its_whitespace_and_a_word():
    assert (beginning("\n    return a"), beginning("\n\n\n"), beginning("")) == ("\n    return", BLANK, BLANK)
    assert (ending('    """\n'), ending("x = 1"), ending(" \n")) == ('"""\n', "1", BLANK)


def test_what_the_record_of_a_run_holds_is_read_again_and_an_older_one_lacks_the_data(tmp_path):
    record = RunRecord(
        "a",
        "runs/a",
        (),
        (),
        (),
        data=(data_file(tmp_path),),
        inputs=(("train.py", "script"),),
        checkpoints=((10, "runs/a/step_10"),),
        not_worth_trying=(("too_few_steps", "Longer training."),),
    )
    write_run_record(tmp_path, record, [])
    assert read_run_record(tmp_path) == record
    older = json.loads((tmp_path / "run.json").read_text())
    for name in ("data", "inputs", "checkpoints", "not_worth_trying"):
        del older[name]
    (tmp_path / "run.json").write_text(json.dumps(older))
    assert read_run_record(tmp_path) == RunRecord("a", "runs/a", (), (), ())


def completions(*texts: str):
    return [{**example.completion(10, task=i), "text": text} for i, text in enumerate(texts)]


def test_what_is_written_first_stands_beside_what_solutions_begin_with(tmp_path):
    frames = example.frames({10: report_example.scorecard()}, completions("\n\n\n\n", "    return 1", "\n", "x = 1"))
    table = beginnings_table(example.run(frames, data=(data_file(tmp_path),)))
    assert table is not None
    rows = {row[0].text if isinstance(row[0], Code) else row[0]: row[1:] for row in table.rows}
    assert rows["····return"] == ("100.0 %", "25.0 %")
    assert rows["only whitespace"] == ("0.0 %", "50.0 %")
    assert beginnings_table(example.run(frames)) is None


def test_a_beginning_that_was_not_kept_is_not_said_to_be_absent(tmp_path):
    read = replace(data_file(tmp_path), read=100, completion_beginnings=(("    return", 60), ("    if", 10)))
    frames = example.frames({10: report_example.scorecard()}, completions("x = 1"))
    table = beginnings_table(example.run(frames, data=(read,)))
    assert table is not None
    assert table.rows[-1][1] == "at most 10.0 %"


def test_the_first_row_of_the_data_stands_in_the_report(tmp_path):
    frames = example.frames({10: report_example.scorecard()})
    held = example.run(frames, data=(data_file(tmp_path),), facts=(("Data", "Train", "3 rows"),))
    listings = [part.text for part in run_document(held, {}) if isinstance(part, Listing)]
    assert ROWS[0]["solution"].strip() in "".join(listings)


def test_the_share_of_trained_parameters_is_of_the_whole_model(tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    save_file({"a": np.zeros((5, 10), dtype=np.float32)}, tmp_path / "adapter_model.safetensors")
    facts = {name: value for _, name, value in facts_of(manifest(tmp_path), tmp_path, None, (), 1000)}
    assert facts["Trained parameters"].startswith("50 (5.00%")


def test_the_base_has_the_step_and_the_loss_of_the_log_that_is_called_like_it(tmp_path):
    (tmp_path / "base.log").write_text("Step 400 | Loss: 1.5\n  [EVAL] Step 400 | Val Loss: 1.25\n")
    (tmp_path / "base.pt").write_bytes(b"")
    facts = {
        name: value for _, name, value in facts_of(manifest(tmp_path, weights=tmp_path / "base.pt"), tmp_path, None)
    }
    assert "400" in facts["Base"]
    assert "1.25" in facts["Base"]


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        (("3.1195", "0.0000"), "loss < 0.00005 nats"),
        (("3.12", "0.00"), "loss < 0.005 nats"),
        (("0.0", "0.0"), "loss 0 nats"),
        (("0.31234567890123", "0.0"), "loss 0 nats"),
    ],
)
def test_a_loss_that_the_log_rounded_to_zero_is_below_what_the_log_can_show(tmp_path, logged, shown):
    first, last = logged
    (tmp_path / "base.log").write_text(f"[EVAL] Step 1 | Val Loss: {first}\n[EVAL] Step 400 | Val Loss: {last}\n")
    (tmp_path / "base.pt").write_bytes(b"")
    facts = facts_of(manifest(tmp_path, weights=tmp_path / "base.pt"), tmp_path, None)
    (base,) = (value for _, name, value in facts if name == "Base")
    assert shown in base


def test_the_files_of_a_run_are_script_code_manifest_logs_data_and_checkpoints(tmp_path):
    for name in ("train.py", "model.py", "evalharness.toml"):
        (tmp_path / name).write_text("")
    of = replace(manifest(tmp_path, factory="model.py:build"), path=tmp_path / "evalharness.toml")
    found = {Path(path).name: words for path, words in run_inputs(of, tmp_path, None)}
    assert set(found) == {"train.py", "model.py", "evalharness.toml", "train.jsonl", tmp_path.name}


def test_the_best_checkpoint_is_the_scored_one_with_the_lowest_logged_validation_loss():
    cards = dict.fromkeys((10, 20, 30), report_example.scorecard())
    losses = [
        plain(LossPoint(step, "validation", loss, "log")) for step, loss in {10: 3.0, 20: 1.0, 25: 0.5, 30: 2.0}.items()
    ]
    held = example.run(example.frames(cards, losses=losses), checkpoints={step: f"step_{step}.pt" for step in cards})
    (items,) = (part.items for part in files_section(held, {}) if isinstance(part, BulletList))
    assert [item[0].text for item in items] == ["step_20.pt"]
