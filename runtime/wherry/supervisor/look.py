"""What a folder of bundles wants to have simulated. In a process of its own: bundles are code.

python -m wherry.supervisor.look FUNCTIONS
"""

import sys
from dataclasses import asdict
from pathlib import Path

from wherry.supervisor.ready import announce
from wherry.wiring import load_bundles


def main() -> None:
    """Import the bundles, and say which stand-ins they have."""
    app = load_bundles(Path(sys.argv[1])).app
    announce(stand_ins=[asdict(stand_in) for stand_in in app.stand_ins])


if __name__ == "__main__":
    main()
