"""The Lua files themselves: each header is a contract, and what is built from them is clean."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wherry.errors import Misconfigured
from wherry.store import library

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("verb", library.verbs())
def test_the_header_of_a_verb_names_purpose_keys_arguments_and_answers(verb: str) -> None:
    header, _, body = library.source(verb).partition("]]")

    assert header.startswith(f"--[[\n{verb}: ")
    assert ["KEYS", "ARGV", "Answers"] == re.findall(r"^(KEYS|ARGV|Answers) ", header, re.MULTILINE)
    for word in re.findall(r'return \{ "([A-Z]+)"', body):
        assert f'{{"{word}"' in header, f"{verb} answers {word}, its header does not say so"


@pytest.mark.parametrize("verb", library.verbs())
def test_every_word_that_a_header_promises_is_answered_somewhere(verb: str) -> None:
    header, _, _ = library.source(verb).partition("]]")
    text = library.build("t", "local RULES = {}")

    for word in re.findall(r'\{"([A-Z]+)"', header):
        assert f'"{word}"' in text.replace(header, "")


def test_the_built_library_has_no_globals_and_no_loose_ends(tmp_path: Path) -> None:
    luacheck = shutil.which("luacheck")
    if luacheck is None:
        pytest.skip("luacheck is not installed")
    built = tmp_path / "wherry.lua"
    # The first line is Redis's, not Lua's.
    text = library.build("wherry", library.rules_table([])).split("\n", 1)[1]
    built.write_text(text, encoding="utf-8")

    found = subprocess.run(
        [luacheck, "--config", ROOT / ".luacheckrc", built],
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout


def test_a_helper_is_included_once_however_many_verbs_name_it() -> None:
    text = library.build("t", "local RULES = {}")

    assert text.count("local function is_count") == 1
    assert "@include" not in text


def test_an_unknown_file_is_named() -> None:
    with pytest.raises(Misconfigured, match="'lib/nothing'"):
        library.source("lib/nothing")
