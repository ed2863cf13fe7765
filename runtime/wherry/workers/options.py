"""The options of a runner; apart from it, since pumps need not know how it works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How a runner behaves. Times are in seconds.

    concurrency  calls that it carries out at once
    threads      those of them that are plain functions
    lease        how long a call is its own; a killed runner's calls wait this long
    renew        how often it renews its leases
    beat         how often it looks for calls by itself, beneath the channel
    linger       how long it stays when there is nothing to do
    ahead        it also stays when a call is due within this time
    grace        how long calls may go on when it has to stop
    """

    concurrency: int = 500
    threads: int = 64
    lease: float = 15.0
    renew: float = 5.0
    beat: float = 1.0
    linger: float = 5.0
    ahead: float = 60.0
    grace: float = 1.5
