"""NVIDIA driver, fabric manager, persistence, MIG, DCGM."""
