"""How fast a training step is, against PyTorch and against the bare matrix products."""
