"""`python -m jaxae` is the jaxae command."""

from jaxae.cli.main import main

if __name__ == "__main__":
    main()
