# Two commands do everything: `make demo` (see it work) and `make test` (prove it).
.DEFAULT_GOAL := help
