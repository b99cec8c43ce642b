"""The command `jaxae plot seed-agreement`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "seed-agreement")
