"""The audit of a namespace, of a kind or of an entity, and the repair of what follows from logs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wherry.errors import Misconfigured, NotFound
from wherry.gateway.shapes import Json
from wherry.store.checks import Finding
from wherry.store.curing import cure
from wherry.store.fsck import Fsck, Progress
from wherry.wiring import Runtime, is_current


@dataclass(frozen=True, slots=True)
class Mended:
    """One finding after a repair; `why` it is still there, empty when it is not."""

    finding: Finding
    why: str


@dataclass
class Report:
    """What an audit has found, and what became of it."""

    entities: int
    events: int
    findings: Sequence[Finding]
    mended: Sequence[Mended] = field(default_factory=list)

    @property
    def repairable(self) -> list[Finding]:
        """Those that a repair can mend."""
        return [finding for finding in self.findings if finding.cure is not None]

    @property
    def repaired(self) -> int:
        """How many are mended."""
        return sum(not one.why for one in self.mended)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong (any more)."""
        return self.repaired == len(self.findings)

    def shown(self) -> Json:
        """The report as doors show it; `repaired` of a finding only after a repair."""
        rows = [finding_row(finding) for finding in self.findings]
        if self.mended:
            whys = {id(one.finding): one.why for one in self.mended}
            for row, finding in zip(rows, self.findings, strict=True):
                why = whys.get(id(finding), "only a person can say what is right")
                row["repaired"] = not why
                row |= {"why": why} if why else {}
        return {
            "entities": self.entities,
            "events": self.events,
            "findings": rows,
            "repaired": self.repaired,
        }


def audit(runtime: Runtime, target: str = "", progress: Progress | None = None) -> Report:
    """Hold all that is stored against the logs: of the namespace, a kind, or `kind/key`.

    Raises NotFound for a kind that is not deployed, and an entity to which nothing has happened.
    """
    kind, slash, _ = target.partition("/")
    if target:
        runtime.registry.kind(kind)
    fsck = Fsck(runtime.store, runtime.registry, "" if slash else kind, progress)
    findings = list(fsck.one(target) if slash else fsck.everything())
    if slash and not fsck.entities and not findings:
        raise NotFound(f"{target}: nothing has happened to it yet")
    return Report(fsck.entities, fsck.events, findings)


def mend(runtime: Runtime, report: Report) -> Report:
    """Repair what a report has found. Raises Misconfigured with other code than is deployed."""
    require_current(runtime)
    return Report(
        report.entities, report.events, report.findings, list(_mend(runtime, report.findings))
    )


def require_current(runtime: Runtime) -> None:
    """Only the code that is deployed may say what logs tell. Raises Misconfigured."""
    if not is_current(runtime):
        raise Misconfigured(
            f"version {runtime.bundles.code} of the bundles is here, and another is deployed:"
            " what a log tells is for that one to say"
        )


def finding_row(finding: Finding) -> Json:
    """One finding as doors show it."""
    return {
        "subject": finding.subject,
        "code": finding.code,
        "detail": finding.detail,
        "stored": finding.stored,
        "rebuilt": finding.rebuilt,
        "repairable": finding.cure is not None,
    }


def _mend(runtime: Runtime, findings: Sequence[Finding]) -> Iterator[Mended]:
    done = dict(cure(runtime.store, runtime.registry, findings, runtime.bundles.code))
    for finding in findings:
        if finding.cure is not None:
            yield Mended(finding, done[finding.cure.name])
