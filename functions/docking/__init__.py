"""The docking bundle: vessels, ports, and the saga that brings one into the other."""
