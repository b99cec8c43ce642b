"""The command `jaxae import-torch`."""

from jaxae.__main__ import main

if __name__ == "__main__":
    main("import-torch")
