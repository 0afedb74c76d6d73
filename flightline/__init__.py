"""Flightline takes bare-metal GPU nodes to serving large language models, and proves each fit."""
