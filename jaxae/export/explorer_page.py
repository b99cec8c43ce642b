"""The explorer: one HTML file that shows a run's map of the test images and runs its network.

It needs no server and no network, and opens by a double click. Its parts are in explorer/: a
template, a style sheet and JavaScript modules, which become one script here.
"""

import html
import json
import re
from dataclasses import asdict
from pathlib import Path
from string import Template

from jaxae.data.dataset import Dataset
from jaxae.digests import policy_digest
from jaxae.errors import InputError
from jaxae.evaluation.records import check_run_and_data
from jaxae.export.page_data import page_data
from jaxae.inference import Run

PARTS = Path(__file__).with_name("explorer")
MODULES = (
    "arrays",
    "elements",
    "dataset",
    "network",
    "store",
    "colours",
    "view",
    "pictures",
    "thumbnails",
    "points",
    "corruption",
    "cells",
    "fields",
    "layers",
    "overlay",
    "map",
    "lasso",
    "pointer",
    "look",
    "noise",
    "path",
    "sketch",
    "legend",
    "tabs",
    "main",
)
"""The order of the modules in the script: each follows those that it imports."""


def explorer_page(run: Run, dataset: Dataset, *, small: bool = False) -> str:
    """Return the page as HTML. small: the test images are compressed with loss.

    Raises InputError for other data than the run's, or if latent_dim is not 2.
    """
    check_run_and_data(run, dataset)
    if run.model.latent_dim != 2:
        raise InputError(
            f"latent_dim is {run.model.latent_dim}, and the explorer shows a plane: "
            "give a run with latent_dim 2"
        )

    data = json.dumps(asdict(page_data(run, dataset, small=small)), allow_nan=False)
    style = (PARTS / "style.css").read_text("utf-8")
    script = _one_script()
    policy = (
        "default-src 'none'; img-src data:; "
        f"style-src '{policy_digest(style)}'; script-src '{policy_digest(script)}'"
    )

    template = Template((PARTS / "template.html").read_text("utf-8"))
    return template.substitute(
        title=html.escape(f"{dataset.title}: jaxae explorer"),
        heading=html.escape(f"{dataset.title} through two numbers"),
        checkpoint_epoch=run.epoch,
        policy=policy,
        style=style,
        script=script,
        data=data.replace("<", "\\u003c"),  # a class named </script> stays text
    )


def _one_script() -> str:
    """Return all modules in one: without their imports and the word export."""
    sources = "\n".join((PARTS / f"{name}.js").read_text("utf-8") for name in MODULES)
    without_imports = re.sub(r"^import .*;\n", "", sources, flags=re.MULTILINE)
    return re.sub(r"^export ", "", without_imports, flags=re.MULTILINE)
