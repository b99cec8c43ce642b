"""The command `jaxae plot latent-space`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "latent-space")
