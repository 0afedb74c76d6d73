"""What is published about GPUs, drivers, CUDA, Xids and fabrics: dated data with sources."""
