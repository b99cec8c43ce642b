"""The command `jaxae plot training-curves`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("plot", "training-curves")
