"""What a node becomes: one package per role, each with the same slots (docs/architecture.md)."""
