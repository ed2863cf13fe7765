"""The code of bundles: recognised, kept, found again, imported anew."""

import os
import sys
from pathlib import Path

import pytest

from tests.support import tallies
from wherry.bundles import KEPT, CodeFolders, fingerprint, load_bundles, reload_bundles
from wherry.errors import Misconfigured


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tallies.write(tmp_path / "functions", tallies.FIRST)


@pytest.fixture
def folders(folder: Path, tmp_path: Path) -> CodeFolders:
    return CodeFolders(folder, tmp_path / "copies")


def version(folder: Path) -> str:
    return fingerprint(folder, ["tallies"])


@pytest.mark.parametrize("name", ["tallies/more.py", "tallies/deep/data.json", "shared.py"])
def test_a_version_changes_with_every_file_that_belongs_to_it(folder: Path, name: str) -> None:
    before = version(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("1")
    with_file = version(folder)
    (folder / name).write_text("2")

    assert len({before, with_file, version(folder)}) == 3


@pytest.mark.parametrize(
    "name", ["tallies/__pycache__/x.pyc", "tallies/.swp", "other/__init__.py", "README.md"]
)
def test_a_version_is_the_same_whatever_else_lies_there(folder: Path, name: str) -> None:
    before = version(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("1")

    assert version(folder) == before


def test_a_version_does_not_depend_on_where_it_lies(folder: Path, tmp_path: Path) -> None:
    assert version(folder) == version(tallies.write(tmp_path / "b", tallies.FIRST))


def test_what_was_kept_is_found_when_the_folder_has_changed(folders: CodeFolders) -> None:
    (folders.functions / "shared.py").write_text("")
    (folders.functions / "tallies" / "data.txt").write_text("x")
    first = load_bundles(folders.functions)
    assert folders.find(first.code, first.names) == folders.functions

    copy = folders.keep(first)
    tallies.write(folders.functions, tallies.CLEARING)

    assert folders.find(first.code, first.names) == copy
    assert version(copy) == first.code
    assert (copy / "tallies" / "data.txt").read_text() == "x"
    assert folders.find("0" * 12, first.names) is None
    assert folders.find(first.code, ["another"]) is None


def test_a_copy_that_somebody_has_changed_is_not_taken(folders: CodeFolders) -> None:
    first = load_bundles(folders.functions)
    copy = folders.keep(first)
    tallies.write(folders.functions, tallies.CLEARING)
    tallies.write(copy, tallies.DOUBLED)

    assert folders.find(first.code, first.names) is None


def test_only_so_many_copies_are_kept_the_latest(folders: CodeFolders) -> None:
    kept = []
    for number in range(KEPT + 2):
        (folders.functions / "tallies" / "n.txt").write_text(str(number))
        kept.append(folders.keep(load_bundles(folders.functions)))
        os.utime(kept[-1], (number, number))

    assert [path.is_dir() for path in kept] == [False] * 2 + [True] * KEPT
    assert folders.keep(load_bundles(folders.functions)) == kept[-1]
    assert sum(path.is_dir() for path in kept) == KEPT


def test_code_is_imported_anew_and_what_was_made_of_the_old_one_keeps_it(folder: Path) -> None:
    old = load_bundles(folder)
    tallies.write(folder, tallies.CLEARING)

    new = reload_bundles(old, folder)

    names = [sorted(c.__name__ for c in b.app.entities["tally"].handlers) for b in (old, new)]
    assert names == [["Add"], ["Add", "Clear"]]
    assert old.code != new.code


def test_code_that_cannot_be_imported_leaves_the_old_one_where_it_was(folder: Path) -> None:
    old = load_bundles(folder)
    module = sys.modules["tallies"]
    tallies.write(folder, "raise RuntimeError('no')")

    with pytest.raises(Misconfigured, match=r"bundle tallies.*no"):
        reload_bundles(old, folder)
    assert sys.modules["tallies"] is module


def test_a_bundle_of_the_same_name_elsewhere_is_another_one(folder: Path, tmp_path: Path) -> None:
    first = load_bundles(folder)
    second = load_bundles(tallies.write(tmp_path / "elsewhere", tallies.CLEARING))

    assert len(second.app.entities["tally"].handlers) == 2
    assert len(first.app.entities["tally"].handlers) == 1
