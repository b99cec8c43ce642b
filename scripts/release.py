"""The command `jaxae release`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("release")
