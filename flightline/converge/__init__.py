"""Running deploy.py on many nodes at once, and reaching nodes for anything else."""
