"""The command `jaxae explore`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("explore")
