"""The command `jaxae export`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("export")
