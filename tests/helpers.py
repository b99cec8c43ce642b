"""What several tests need."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxae.build import build_model, first_state
from jaxae.config import Config
from jaxae.core.state import TrainState, model_variables
from jaxae.data.dataset import Dataset
from jaxae.errors import silent
from jaxae.evaluation.records import Provenance
from jaxae.inference import Run
from jaxae.train.loop import fit_members

ABOUT = Provenance(
    dataset="synthetic",
    data="SYNTHETIC",
    data_sha256="0",
    split="test, 3 images",
    checkpoint_epoch=7,
    versions={"jax": "1"},
    settings={},
)


def fit_state(
    config: Config,
    dataset: Dataset,
    run_dir: Path,
    *,
    overwrite: bool = False,
    report: Callable[[str], None] = silent,
) -> TrainState:
    """Trains one run and returns its last state."""
    states = fit_members(
        [config], dataset, [run_dir], overwrite=overwrite, report=lambda told: report(str(told))
    )
    return states[0]


def untrained_run(**recipe: Any) -> Run:
    """A run before its first step, for what does not depend on a model's quality. recipe: fields of
    Config.
    """
    config = Config(dataset="synthetic", **recipe)
    return Run(config, build_model(config), model_variables(first_state(config)), 1)
