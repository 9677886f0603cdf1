"""Data as training loops keep it: files of ids, packed rows, folders of ``datasets``."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from evalharness.diagnosis import packed, read_rows, tokenize
from evalharness.diagnosis.data import token_files
from evalharness.diagnosis.data.rows import DataRow, TokenRow
from evalharness.diagnosis.data.token_files import each_token_text, is_token_file, read_token_rows
from evalharness.errors import EvalHarnessError
from evalharness.pipeline.loading import load_rows
from evalharness.progress import Silent
from evalharness.settings.manifest import DataSettings, Manifest


class Letters:
    def __init__(self, vocab_size=128):
        self.vocab_size = vocab_size

    def encode(self, text):
        return [ord(c) for c in text]

    def decode(self, ids):
        return "".join(chr(i) for i in ids)


TEXT = "the quick brown fox jumps over the lazy dog" * 3


def header(magic):
    values = np.zeros(256, "<i4")
    values[:3] = magic, 1, len(TEXT)
    return values.tobytes()


FORMS = {
    "nanoGPT": (128, lambda ids: np.array(ids, "<u2").tobytes()),
    "nanoGPT with a large vocabulary": (100_000, lambda ids: np.array(ids, "<u4").tobytes()),
    "llm.c": (128, lambda ids: header(20240520) + np.array(ids, "<u2").tobytes()),
    "llm.c for llama 3": (128, lambda ids: header(20240801) + np.array(ids, "<u4").tobytes()),
}


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_read_as_they_are(tmp_path, form):
    tokens, write = FORMS[form]
    file = tmp_path / "val.bin"
    file.write_bytes(write([ord(c) for c in TEXT]))
    rows, encoded = read_token_rows(file, Letters(tokens), 16, print)
    assert is_token_file(file)
    assert "".join(row.completion for row in rows) == TEXT[: len(TEXT) // 17 * 17]
    assert all(row.ids == tuple(map(ord, text.completion))[:16] for row, text in zip(encoded, rows, strict=True))
    assert not any(row.exceeds_context for row in encoded)
    assert "".join(each_token_text(file, Letters(tokens))) == TEXT


def test_an_array_of_numpy_is_read_too(tmp_path):
    np.save(tmp_path / "train.npy", np.array([[ord(c) for c in TEXT]], "<i8"))
    rows, _ = read_token_rows(tmp_path / "train.npy", Letters(), 16, print)
    assert "".join(row.completion for row in rows) == TEXT[: len(TEXT) // 17 * 17]
    np.save(tmp_path / "train.npy", np.zeros(40))
    with pytest.raises(EvalHarnessError, match="float64"):
        read_token_rows(tmp_path / "train.npy", Letters(), 16, print)


def test_of_a_large_file_pieces_are_read_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(token_files, "MOST_PIECES", 4)
    file = tmp_path / "train.bin"
    file.write_bytes(np.arange(120 * 17, dtype="<u2").tobytes())
    said = []
    rows, encoded = read_token_rows(file, Letters(5000), 16, said.append)
    assert [row.ids[0] for row in encoded] == [i * 30 * 17 for i in range(4)]
    assert (len(rows), len(said)) == (4, 1)


@pytest.mark.parametrize(("content", "message"), [(b"", "no token ids"), (b"\xff\xff" * 40, "65535")])
def test_ids_that_are_none_of_the_tokenizers_are_refused(tmp_path, content, message):
    file = tmp_path / "train.bin"
    file.write_bytes(content)
    with pytest.raises(EvalHarnessError, match=message):
        read_token_rows(file, Letters(), 16, print)


def save_to_disk(folder, *shards):
    """As ``Dataset.save_to_disk`` of datasets writes it: streams of arrow, and their order."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{len(shards):05d}.arrow" for i in range(len(shards))]
    for name, rows in zip(names, shards, strict=True):
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


def test_a_folder_of_datasets_is_read(tmp_path):
    save_to_disk(tmp_path / "d", [{"prompt": "a", "completion": "b"}], [{"prompt": "c", "completion": "d"}])
    assert read_rows(tmp_path / "d") == [DataRow("a", "b"), DataRow("c", "d")]


def test_conversations_in_a_folder_of_datasets_are_read(tmp_path):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    save_to_disk(tmp_path / "d", [{"messages": turns}])
    (row,) = read_rows(tmp_path / "d")
    assert row.completion.startswith("yes")


def test_of_a_folder_with_splits_one_is_asked_for(tmp_path):
    for split in ("train", "test"):
        save_to_disk(tmp_path / "d" / split, [{"text": split}])
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(EvalHarnessError, match=r"test,\strain"):
        read_rows(tmp_path / "d")
    assert read_rows(tmp_path / "d" / "test") == [DataRow("", "test")]


def test_packed_rows_are_joined_by_the_end_token_and_cut_to_the_context():
    rows = [DataRow("", "abc"), DataRow("de", "f"), DataRow("", "g\0")]
    encoded = tokenize(rows, Letters(), context_length=None, begin=(), count_prompt=True)
    pieces = packed(encoded, 4, end_id=0)
    assert [Letters().decode(row.ids) for row in pieces] == ["abc\0", "def\0", "g\0"]
    assert [row.row for row in pieces] == [0, 1, 2]
    assert [Letters().decode(row.ids) for row in packed(encoded, 5, end_id=None)] == ["abcde", "fg\0"]


@pytest.mark.parametrize(("begin", "joined"), [((), "ab\0cd\0"), ((0,), "\0ab\0cd"), ((1,), "\1ab\0\1cd\0")])
def test_packed_rows_that_begin_with_an_end_token_get_no_second_one(tmp_path, begin, joined):
    (tmp_path / "d.jsonl").write_text('{"text": "ab"}\n{"text": "cd"}\n')
    checkpoint = SimpleNamespace(
        tokenizer=Letters(), begin_token_ids=begin, end_token_ids=frozenset({0}), context_length=99
    )
    manifest = Manifest(None, tmp_path, data=DataSettings(packed=True))
    (row,) = load_rows(tmp_path / "d.jsonl", checkpoint, manifest, Silent()).encoded
    assert Letters().decode(row.ids) == joined


def test_a_row_of_one_token_more_than_the_context_is_not_cut():
    lengths = {8: False, 9: False, 10: True}
    for length, is_cut in lengths.items():
        (row,) = tokenize([DataRow("", "x" * length)], Letters(), context_length=8, begin=(), count_prompt=True)
        assert row.exceeds_context is is_cut
    assert TokenRow((1, 2), 1, 0, 0, 3).was_cut
