"""The command `jaxae plot latent-grid`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "latent-grid")
