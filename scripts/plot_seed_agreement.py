"""The command `jaxae plot seed-agreement`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "seed-agreement")
