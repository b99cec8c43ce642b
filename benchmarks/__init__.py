"""Programs that measure jaxae. From the root of the checkout: python -m benchmarks.FOLDER.PROGRAM."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
