"""The command `jaxae plot noise-drift`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "noise-drift")
