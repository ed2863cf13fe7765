"""Which bundle of which folder a workload is about."""

import os
from dataclasses import dataclass
from pathlib import Path

from wherry.wiring import Bundles, Runtime, load_bundles, open_runtime

ROOT = Path(__file__).parents[2]
NAMESPACE = "bench"


@dataclass(frozen=True, slots=True)
class Source:
    """One bundle; whatever else is in its folder stays out."""

    folder: Path
    bundle: str

    @property
    def words(self) -> list[str]:
        """As words for a program that is started."""
        return [str(self.folder), self.bundle]

    def load(self) -> Bundles:
        """Import it."""
        return load_bundles(self.folder, [self.bundle])

    def open(self, url: str) -> Runtime:
        """Connect to the namespace of the benchmark."""
        return open_runtime(url, NAMESPACE, self.load(), partitions=8)


def source_of(words: list[str]) -> Source:
    """The source that `words` are of."""
    folder, bundle = words
    return Source(Path(folder), bundle)


def environment(**more: str) -> dict[str, str]:
    """What a program that is started finds in its environment: the code, however ours was found."""
    paths = [str(ROOT), str(ROOT / "runtime"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}
