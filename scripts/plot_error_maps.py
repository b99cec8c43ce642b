"""The command `jaxae plot error-maps`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "error-maps")
