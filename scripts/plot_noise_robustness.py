"""The command `jaxae plot noise-robustness`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("plot", "noise-robustness")
