"""The command `jaxae report`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("report")
