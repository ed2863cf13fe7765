"""The contract of the docking bundle: everything that ports, vessels and the saga say."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta

from wherry import Command, Event, Kind, message

# Patterns are searched for, and Python's `$` also matches before a last newline: hence (?!\n).
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.~@-]+$(?!\n)", max_length=128)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Capacity = Annotated[int, Meta(ge=1, le=1000)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Mmsi = Annotated[str, Meta(pattern="^[0-9]{9}$", min_length=9, max_length=9)]
Imo = Annotated[str, Meta(pattern="^[0-9]{7}$", min_length=7, max_length=7)]
OperationalStatus = Literal["Active", "Maintenance"]

LONGEST_HOLD = timedelta(days=7)


class PortKind(Kind):
    name = "port"


class VesselKind(Kind):
    name = "vessel"


# -- what a port can be told ---------------------------------------------------------------------


@message
class Reservation:
    """A berth that is held until `expires_at`, and where its port is."""

    reservation_id: str
    expires_at: datetime
    latitude: float
    longitude: float


@message
class Docking:
    """A docking that is complete."""

    port_id: str
    vessel_id: str
    reservation_id: str
    docked_at: datetime


@message
class RegisterPort(Command[PortKind, None]):
    """Register a port, and open it."""

    name: Name
    capacity: Capacity
    latitude: Latitude
    longitude: Longitude


@message
class OpenPort(Command[PortKind, None]):
    pass


@message
class ClosePort(Command[PortKind, None]):
    """Take no more reservations; those that were given stay good."""


@message
class ChangeCapacity(Command[PortKind, None]):
    capacity: Capacity


@message
class ReserveDocking(Command[PortKind, Reservation]):
    """Hold a berth. The asker chooses the id, so that it can undo this without the reply."""

    reservation_id: Id
    vessel_id: Id
    hold_for: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        if not timedelta(0) < self.hold_for <= LONGEST_HOLD:
            raise ValueError(f"hold_for must be more than 0 and at most {LONGEST_HOLD.days} days")


@message
class ConfirmDocking(Command[PortKind, Docking]):
    reservation_id: Id
    vessel_id: Id


@message
class ExpireReservation(Command[PortKind, None]):
    """Give a held berth back. The timer names when its reservation was to end: `due`."""

    reservation_id: Id
    due: datetime | None = None


@message
class UndockVessel(Command[PortKind, None]):
    """Free the berth of a vessel. With `reservation_id`: end that docking, if it is not over."""

    vessel_id: Id
    reservation_id: Id | None = None


# -- what happens to a port ----------------------------------------------------------------------


@message
class PortRegistered(Event):
    name: str
    capacity: int
    latitude: float
    longitude: float


@message
class PortOpened(Event):
    pass


@message
class PortClosed(Event):
    pass


@message
class CapacityChanged(Event):
    capacity: int


@message
class VesselDockingReserved(Event):
    reservation_id: str
    vessel_id: str
    expires_at: datetime


@message
class DockingConfirmed(Event):
    reservation_id: str
    vessel_id: str
    docked_at: datetime


@message
class DockingReservationExpired(Event):
    reservation_id: str
    vessel_id: str


@message
class VesselUndocked(Event):
    vessel_id: str
    reservation_id: str


# -- what a vessel can be told -------------------------------------------------------------------


@message
class RegisterVessel(Command[VesselKind, None]):
    name: Name
    mmsi: Mmsi | None = None
    imo: Imo | None = None


@message
class UpdatePosition(Command[VesselKind, None]):
    latitude: Latitude
    longitude: Longitude


@message
class ArriveAtPort(Command[VesselKind, None]):
    """Arrive at a port, which lies at the given place, with a reservation."""

    port_id: Id
    reservation_id: Id
    latitude: Latitude
    longitude: Longitude


@message
class RevertArrival(Command[VesselKind, None]):
    """Undo an arrival whose docking did not come about."""

    reservation_id: Id


@message
class NoteDocked(Command[VesselKind, None]):
    """The port tells that it has confirmed a docking."""

    port_id: Id
    reservation_id: Id


@message
class NoteUndocked(Command[VesselKind, None]):
    """The port tells that it has freed the vessel's berth."""

    port_id: Id
    reservation_id: Id


@message
class DepartFromPort(Command[VesselKind, None]):
    pass


@message
class UpdateOperationalStatus(Command[VesselKind, None]):
    status: OperationalStatus


@message
class Decommission(Command[VesselKind, None]):
    pass


# -- what happens to a vessel --------------------------------------------------------------------


@message
class VesselRegistered(Event):
    name: str
    mmsi: str | None = None
    imo: str | None = None


@message
class PositionUpdated(Event):
    latitude: float
    longitude: float


@message
class VesselArrived(Event):
    port_id: str
    reservation_id: str


@message
class ArrivalReverted(Event):
    port_id: str
    reservation_id: str


@message
class DockingCompleted(Event):
    port_id: str
    reservation_id: str


@message
class VesselDeparted(Event):
    port_id: str
    reservation_id: str


@message
class OperationalStatusChanged(Event):
    status: OperationalStatus


@message
class VesselDecommissioned(Event):
    pass


# -- what starts the saga ------------------------------------------------------------------------


@message
class StartDocking:
    """Bring a vessel into a berth of a port; the result is a Docking."""

    vessel_id: Id
    port_id: Id
