"""`make fuzz`: both bundles, for as long as is wanted. FUZZ_SECONDS, FUZZ_SEED."""

import os
import random
import sys
import tempfile
from pathlib import Path

from loadtests.running import running
from tests.http.fuzz.fuzzing import PHASES, fuzz


def main() -> int:
    """Start a system, try it, and print what was found."""
    seed = os.environ.get("FUZZ_SEED", str(random.randrange(2**32)))
    seconds = os.environ.get("FUZZ_SECONDS", "600")
    with running() as system, tempfile.TemporaryDirectory() as folder:
        code, found = fuzz(
            system.url, Path(folder), "--phases", PHASES, "--seed", seed, "--max-time", seconds
        )
    sys.stdout.write(f"{found}\nthe seed was {seed}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
