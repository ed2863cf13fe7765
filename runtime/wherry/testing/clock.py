"""A clock that only moves when a test says so."""

from datetime import UTC, datetime, timedelta

#: When tests begin, unless they say otherwise.
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    """Server time in a test: UTC, to the millisecond, never going back.

    >>> clock = Clock()
    >>> clock.advance(timedelta(minutes=30)).isoformat()
    '2026-01-01T12:30:00+00:00'
    """

    def __init__(self, now: datetime = START) -> None:
        self.ms = _ms(now)

    @property
    def now(self) -> datetime:
        """The time."""
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def advance(self, by: timedelta) -> datetime:
        """Let time pass; return the new time."""
        return self.reach(self.ms + round(by.total_seconds() * 1000))

    def reach(self, ms: int) -> datetime:
        """Let it be a certain time, in ms; return it."""
        if ms < self.ms:
            raise ValueError("time does not go back")
        self.ms = ms
        return self.now


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
