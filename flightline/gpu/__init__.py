"""What a GPU machine says of itself, as records: PCI bus, nvidia-smi, kernel log. Pure parsers."""
