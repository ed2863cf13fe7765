"""Every key that Wherry writes; nothing else builds key names.

The part in braces is the hash tag: all keys of a partition live in one cluster slot.

{ns:p}:inbox               stream  envelopes waiting for a turn; one field, `message`
{ns:p}:meta                hash    cursor, epoch, barrier, halted, paused, held
{ns:p}:<kind>:<key>        hash    version, status, at, state (JSON), snapshot, pool:...
{ns:p}:<kind>:<key>:log    stream  id `<version>-0`; type, data, v, at, id, cause, corr, trace
{ns:p}:timers              zset    timer id -> due time, ms
{ns:p}:timer               hash    timer id -> envelope
{ns:p}:effects             zset    effect id -> when it may be taken: due, or end of a lease, ms
{ns:p}:effect              hash    effect id -> envelope
{ns:p}:attempt             hash    effect id -> `<n> <made> <running> <note>`; see lua/take.lua
{ns:p}:parked              zset    effect id -> since when it waits for a person, ms
{ns:p}:attention           hash    address of an entity -> why somebody has to look at it (JSON)
{ns:p}:paused              hash    what is paused -> since when, by whom, why (JSON)
{ns:p}:held                zset    address -> since when its messages are held back, ms
{ns:p}:held:<kind>:<key>   list    envelopes that are held back, in order
{ns:p}:counters            hash    name -> how often, or how long in all
{ns:p}:dead                stream  dead letters: message, error, code, entity, type, id, at, version
{ns:p}:index:<kind>        zset    key -> time of its last change, ms
{ns:p}:index:<kind>:<status>  zset  the same, of those in one status
{ns:p}:result:<id>         string  what became of a command from outside (JSON); goes by itself
{ns:p}:idem:<key>          string  fingerprint and command id of an idempotency key; goes by itself
{ns:p}:feed                stream  one line per event, capped: entity, version, type
ns:pumps                   zset    pump -> end of its lease, ms
ns:wake                    string  exists while somebody is about to start a pump
ns:deployment              hash    partitions, format, version, at, bundles
ns:releases                stream  what was deployed when: one entry a release, <number>-0
ns:breaker:<target>        hash    state, failures, until, probes, probe_until, since, target
ns:apikeys                 hash    id of an API key -> name, roles, SHA-256 of its secret (JSON)
ns:apikeys:used            hash    id of an API key -> when it was last used, to the minute, ms
ns:rate:<caller>           hash    tokens, at: what is left of a caller's requests; goes by itself
ns:audit                   stream  what operators did, capped; see gateway/audit.py
ns:effects                 channel number of a partition that has new effects
ns:deployed                channel version that was deployed
ns:replies:<process>       channel results for the waiters of one process
"""

from dataclasses import dataclass

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace."""

    namespace: str

    @property
    def pumps(self) -> str:
        """Who is alive."""
        return f"{self.namespace}:pumps"

    @property
    def wake(self) -> str:
        """Whether somebody is about to start a pump."""
        return f"{self.namespace}:wake"

    @property
    def deployment(self) -> str:
        """What is deployed."""
        return f"{self.namespace}:deployment"

    @property
    def effects_channel(self) -> str:
        """The channel that names partitions with new effects."""
        return f"{self.namespace}:effects"

    @property
    def releases(self) -> str:
        """What was deployed when."""
        return f"{self.namespace}:releases"

    @property
    def deployed_channel(self) -> str:
        """The channel that names the version that was deployed."""
        return f"{self.namespace}:deployed"

    @property
    def api_keys(self) -> str:
        """Who may come in by HTTP."""
        return f"{self.namespace}:apikeys"

    @property
    def api_keys_used(self) -> str:
        """When each of these keys was last used. Another key: only this one is for servers."""
        return f"{self.namespace}:apikeys:used"

    @property
    def audit(self) -> str:
        """What operators did."""
        return f"{self.namespace}:audit"

    def rate(self, caller: str) -> str:
        """How many requests a caller may still make."""
        return f"{self.namespace}:rate:{caller}"

    def breaker(self, target: str) -> str:
        """Whether calls to a target may pass."""
        return f"{self.namespace}:breaker:{target}"

    def replies(self, process: str) -> str:
        """The channel on which a process waits for results."""
        return f"{self.namespace}:replies:{process}"

    def partition(self, number: int) -> "PartitionKeys":
        """The keys of one partition."""
        return PartitionKeys(f"{{{self.namespace}:{number}}}:")


class PartitionKeys(Struct, frozen=True):
    """The keys of one partition; `prefix` is its hash tag and a colon."""

    prefix: str

    @property
    def inbox(self) -> str:
        """Envelopes waiting for a turn."""
        return f"{self.prefix}inbox"

    @property
    def meta(self) -> str:
        """Cursor, epoch, barrier; whether turns or sending are paused."""
        return f"{self.prefix}meta"

    @property
    def dead(self) -> str:
        """Dead letters."""
        return f"{self.prefix}dead"

    @property
    def feed(self) -> str:
        """One line per event."""
        return f"{self.prefix}feed"

    @property
    def timers(self) -> str:
        """When timers are due."""
        return f"{self.prefix}timers"

    @property
    def timer(self) -> str:
        """What timers send."""
        return f"{self.prefix}timer"

    @property
    def effects(self) -> str:
        """When calls to the outside world may be taken."""
        return f"{self.prefix}effects"

    @property
    def effect(self) -> str:
        """What these calls are."""
        return f"{self.prefix}effect"

    @property
    def attempt(self) -> str:
        """How far each of them is."""
        return f"{self.prefix}attempt"

    @property
    def parked(self) -> str:
        """Those that wait for a person."""
        return f"{self.prefix}parked"

    @property
    def attention(self) -> str:
        """The entities that somebody has to look at."""
        return f"{self.prefix}attention"

    @property
    def paused(self) -> str:
        """What is paused, and by whom."""
        return f"{self.prefix}paused"

    @property
    def held(self) -> str:
        """The entities whose messages are held back."""
        return f"{self.prefix}held"

    def held_for(self, kind: str, key: str) -> str:
        """The messages that are held back for an entity."""
        return f"{self.prefix}held:{kind}:{key}"

    @property
    def counters(self) -> str:
        """How often things happened."""
        return f"{self.prefix}counters"

    def entity(self, kind: str, key: str) -> str:
        """An entity's hash."""
        return f"{self.prefix}{kind}:{key}"

    def log(self, kind: str, key: str) -> str:
        """An entity's events."""
        return f"{self.prefix}{kind}:{key}:log"

    def index(self, kind: str, status: str = "") -> str:
        """The entities of a kind, or of those the ones in a status."""
        return f"{self.prefix}index:{kind}:{status}" if status else f"{self.prefix}index:{kind}"

    def result(self, command_id: str) -> str:
        """What became of a command."""
        return f"{self.prefix}result:{command_id}"

    def idem(self, key: str) -> str:
        """The command of an idempotency key."""
        return f"{self.prefix}idem:{key}"
