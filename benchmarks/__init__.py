"""Programs that measure jaxae: python -m benchmarks.FOLDER.PROGRAM, from the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
