"""The command `jaxae plot reconstructions`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "reconstructions")
