"""The command `jaxae plot noise-curve`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "noise-curve")
