"""The command `jaxae plot noise-curve`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "noise-curve")
