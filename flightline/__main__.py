"""`python -m flightline` is the `flightline` command."""

from flightline.cli import main

main()
