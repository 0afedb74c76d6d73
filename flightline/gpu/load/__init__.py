"""Programs that load GPUs on purpose: what is run, and what it printed. Established tools only."""
