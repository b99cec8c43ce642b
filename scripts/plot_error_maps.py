"""The command `jaxae plot error-maps`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "error-maps")
