"""The command `jaxae score`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("score")
