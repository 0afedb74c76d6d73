"""The commands of `flightline`, one module each, each exposing `command`."""
