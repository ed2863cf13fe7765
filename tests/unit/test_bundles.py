"""The code of bundles: recognised, kept, found again, imported anew."""

import gc
import os
import sys
import typing
import weakref
from pathlib import Path

import pytest

from tests.support import tallies
from wherry.bundles import KEPT, CodeFolders, fingerprint, load_bundles, reload_bundles
from wherry.engine.registry import Registry
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

    with pytest.raises(Misconfigured, match=r"bundle tallies.*line 1: no"):
        reload_bundles(old, folder)
    assert sys.modules["tallies"] is module


def test_a_bundle_of_the_same_name_elsewhere_is_another_one(folder: Path, tmp_path: Path) -> None:
    first = load_bundles(folder)
    second = load_bundles(tallies.write(tmp_path / "elsewhere", tallies.CLEARING))

    assert len(second.app.entities["tally"].handlers) == 2
    assert len(first.app.entities["tally"].handlers) == 1


def test_a_file_of_the_same_size_and_time_is_another_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = folder / "tallies" / "__init__.py"
    os.utime(file, (1000, 1000))
    old = load_bundles(folder)
    tallies.write(folder, tallies.FIRST.replace("tally.total + event", "tally.total - event"))
    os.utime(file, (1000, 1000))

    new = reload_bundles(old, folder)

    assert new.code != old.code
    module = sys.modules["tallies"]
    assert module.added(module.Tally(5), module.Added(1)) == module.Tally(4)
    assert not (folder / "tallies" / "__pycache__").exists()


def test_files_that_change_while_they_are_copied_are_not_kept(folders: CodeFolders) -> None:
    first = load_bundles(folders.functions)
    tallies.write(folders.functions, tallies.CLEARING)

    with pytest.raises(Misconfigured, match="have changed since they were imported"):
        folders.keep(first)
    assert list(folders.copies.iterdir()) == []


def test_files_that_change_while_they_are_imported_are_no_version(folder: Path) -> None:
    file = folder / "tallies" / "__init__.py"
    grows = f"\nwith open({str(file)!r}, 'a') as f: f.write('# more\\n')\n"
    tallies.write(folder, tallies.FIRST + grows)

    with pytest.raises(Misconfigured, match="changed while they were imported"):
        load_bundles(folder)


def test_a_copy_that_somebody_has_changed_is_made_anew(folders: CodeFolders) -> None:
    first = load_bundles(folders.functions)
    tallies.write(folders.keep(first), tallies.DOUBLED)

    copy = folders.keep(first)

    tallies.write(folders.functions, tallies.CLEARING)
    assert folders.find(first.code, first.names) == copy


@pytest.mark.parametrize("name", ["/proc", "../../etc", "..", "a/../../b"])
def test_names_out_of_redis_lead_nowhere_else(folders: CodeFolders, name: str) -> None:
    assert folders.find("0" * 12, [name]) is None
    assert folders.find(name, ["tallies"]) is None


def test_code_that_is_no_part_of_the_version_cannot_be_imported(folder: Path) -> None:
    """Another machine, and the copy, would not have it."""
    tallies.write(folder, "from common.words import WORD\n" + tallies.FIRST)
    (folder / "common").mkdir()
    (folder / "common" / "words.py").write_text("WORD = 1")
    with pytest.raises(Misconfigured, match=r"common in .* is imported.*beside them: common\.py"):
        load_bundles(folder)
    assert "common.words" not in sys.modules

    (folder / "common" / "__init__.py").write_text("from wherry import App\napp = App([])")
    with pytest.raises(Misconfigured, match="none of the bundles tallies: name it as well"):
        load_bundles(folder, ["tallies"])
    assert load_bundles(folder).names == ("common", "tallies")


@pytest.mark.parametrize("name", ["email", "msgspec", "wherry"])
def test_a_bundle_is_not_called_like_a_module_that_others_import(folder: Path, name: str) -> None:
    (folder / "tallies").rename(folder / name)
    module = sys.modules.get(name)

    with pytest.raises(Misconfigured, match=f"{name} in .*another name"):
        load_bundles(folder)
    assert sys.modules.get(name) is module


def test_what_is_installed_in_the_same_folder_is_not_imported_anew(folder: Path) -> None:
    old = load_bundles(folder)
    site = folder / "venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "lib_of_tallies.py").write_text("")
    sys.path.append(str(site))
    tallies.write(folder, "import lib_of_tallies\n" + tallies.FIRST)
    try:
        new = reload_bundles(old, folder)
        module = sys.modules["lib_of_tallies"]
        reload_bundles(new, folder)
        assert sys.modules["lib_of_tallies"] is module
    finally:
        sys.path.remove(str(site))
        sys.modules.pop("lib_of_tallies", None)


def test_a_bundle_that_wants_to_end_the_process_does_not(folder: Path) -> None:
    tallies.write(folder, "raise SystemExit('no licence')")
    with pytest.raises(Misconfigured, match="no licence"):
        load_bundles(folder)


def test_code_that_was_replaced_is_let_go(folder: Path) -> None:
    bundles = load_bundles(folder)
    registry = Registry(bundles.app, 4)
    registry.command("tally", "Add").codec.parse(b'{"by": 1}', "tally/a")
    seen = weakref.ref(sys.modules["tallies"].Add)
    del registry
    for text in (tallies.CLEARING, tallies.DOUBLED):
        tallies.write(folder, text)
        bundles = reload_bundles(bundles, folder)
    for clean in typing._cleanups:  # type: ignore[attr-defined]  # what Python keeps, and limits
        clean()
    gc.collect()

    assert seen() is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef f(:", r"SyntaxError in .*tallies/__init__\.py, line 2: invalid syntax"),
        ("x = 1\n\nimport nix", r"ModuleNotFoundError in .*__init__\.py, line 3: No module"),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_line(folder: Path, text: str, said: str) -> None:
    tallies.write(folder, text)
    with pytest.raises(Misconfigured, match=said):
        load_bundles(folder)
