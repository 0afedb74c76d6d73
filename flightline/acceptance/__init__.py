"""Measurements that need two nodes at once: who is paired with whom, and what came of it."""
