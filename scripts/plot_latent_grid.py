"""The command `jaxae plot latent-grid`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "latent-grid")
