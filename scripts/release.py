"""The command `jaxae release`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("release")
