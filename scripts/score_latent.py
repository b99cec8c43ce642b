"""The command `jaxae score`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("score")
