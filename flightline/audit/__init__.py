"""Audit: the check registry, evidence (live, recorded, replayed), the runner, verdicts."""
