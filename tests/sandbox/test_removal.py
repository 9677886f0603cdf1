from __future__ import annotations

import os

import pytest

from evalharness.sandbox.removal import remove_folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "7"
    folder.mkdir()
    return folder


def test_an_empty_folder_is_removed(folder):
    assert remove_folder(folder)
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_is_gone_is_removed_already(tmp_path):
    assert remove_folder(tmp_path / "gone")


def test_files_and_closed_folders_are_removed(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").touch()
    os.mkfifo(folder / "a" / "fifo")
    (folder / "a" / "b").chmod(0)
    (folder / "a").chmod(0)
    folder.chmod(0)
    assert remove_folder(folder)
    assert list(folder.parent.iterdir()) == []


def test_links_are_removed_and_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "link").symlink_to(outside)
    assert remove_folder(folder)
    assert [path.name for path in outside.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_took_the_folders_place_is_removed(folder, tmp_path, kind):
    folder.rmdir()
    (tmp_path / "outside").mkdir()
    folder.touch() if kind == "file" else folder.symlink_to(tmp_path / "outside")
    assert remove_folder(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
