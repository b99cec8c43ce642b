"""The command `jaxae evaluate`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("evaluate")
