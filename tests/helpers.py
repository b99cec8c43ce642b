"""What several tests need."""

from collections.abc import Callable
from pathlib import Path

from jaxae.config import Config
from jaxae.core.state import TrainState
from jaxae.data.dataset import Dataset
from jaxae.errors import silent
from jaxae.train.loop import fit_members


def fit_state(
    config: Config, dataset: Dataset, run_dir: Path, *, overwrite: bool = False, report: Callable[[str], None] = silent
) -> TrainState:
    """Trains one run and returns its last state."""
    return fit_members([config], dataset, [run_dir], overwrite=overwrite, report=report)[0]
