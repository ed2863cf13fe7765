"""Where things are on the globe, and whether a vessel is at its port."""

from math import asin, cos, radians, sin, sqrt

from wherry import message

EARTH_RADIUS_KM = 6371.0
#: A vessel is at a port when it is not farther away than this.
AT_PORT_KM = 10.0


@message
class Position:
    """A place in degrees."""

    latitude: float
    longitude: float


def distance_km(a: Position, b: Position) -> float:
    """The way over the sphere (haversine)."""
    north, east = radians(b.latitude - a.latitude), radians(b.longitude - a.longitude)
    narrowing = cos(radians(a.latitude)) * cos(radians(b.latitude))
    half_chord = sin(north / 2) ** 2 + narrowing * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half_chord)))


def is_at(vessel: Position | None, port: Position) -> bool:
    """Whether a vessel is at a port; one whose position nobody knows is not."""
    return vessel is not None and distance_km(vessel, port) <= AT_PORT_KM
