"""The command `jaxae report`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("report")
