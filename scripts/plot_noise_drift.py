"""The command `jaxae plot noise-drift`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "noise-drift")
