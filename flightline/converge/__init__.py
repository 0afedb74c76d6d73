"""Runs deploy.py: the only package that touches non-public names of pyinfra."""
