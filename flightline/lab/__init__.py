"""Real nodes on this computer."""
