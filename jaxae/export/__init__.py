"""A trained run as something that needs neither jaxae nor JAX, and weights from PyTorch."""
