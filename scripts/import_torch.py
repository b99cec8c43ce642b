"""The command `jaxae import-torch`."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main("import-torch")
