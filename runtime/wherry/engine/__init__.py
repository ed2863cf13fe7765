"""What one turn does. Pure: no clock, no network, no ids but those that were handed in."""
