"""The docking bundle: vessels, ports, and the saga that brings one into the other."""

from docking.docking import docking
from docking.port import port
from docking.vessel import vessel
from wherry import App

__all__ = ["app", "docking", "port", "vessel"]

app = App([port, vessel, docking])
