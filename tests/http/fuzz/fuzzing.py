"""Runs schemathesis, with every check, against a server that is somewhere."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PHASES = "examples,coverage,fuzzing,stateful"


def fuzz(url: str, folder: Path, *words: str) -> tuple[int, str]:
    """Try what the document allows, and what it does not; return exit code and findings.

    `folder` is where schemathesis leaves what it wants to remember.
    """
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.json",
            "--checks", "all", "--continue-on-failure", "--no-color", "--warnings", "off",
            "--request-timeout", "20", *words,
        ],
        cwd=folder, env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
