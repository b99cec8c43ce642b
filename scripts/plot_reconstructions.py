"""The command `jaxae plot reconstructions`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "reconstructions")
