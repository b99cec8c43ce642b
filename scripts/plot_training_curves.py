"""The command `jaxae plot training-curves`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "training-curves")
