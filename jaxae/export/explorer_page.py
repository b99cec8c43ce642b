"""The explorer: one HTML file that shows a run's map of the test images and runs the network in the page.

It needs no server and no network, and opens by a double click. Its parts are in explorer/: a template, a style sheet and
JavaScript modules, which become one script here: imports go, and so does the word export.
"""

import html
import json
import re
from pathlib import Path
from string import Template

from jaxae.data.dataset import Dataset, check_data
from jaxae.digests import policy_digest
from jaxae.errors import InputError
from jaxae.export.page_data import Weights, page_data
from jaxae.inference import Run

PARTS = Path(__file__).with_name("explorer")
MODULES = (
    *(
        "arrays",
        "elements",
        "dataset",
        "network",
        "store",
        "colours",
        "view",
        "points",
        "pictures",
        "corruption",
    ),
    *(
        "cells",
        "fields",
        "layers",
        "overlay",
        "map",
        "pointer",
        "look",
        "noise",
        "path",
        "sketch",
        "legend",
        "tabs",
        "main",
    ),
)
"""Each stands behind those that it imports."""


def explorer_page(
    run: Run, dataset: Dataset, *, weights: Weights = "f16", small: bool = False
) -> str:
    """The page as HTML. weights: half or single precision; small: the test images compressed with loss. Raises InputError."""
    check_data(run.config, dataset, trained_on=run.data_sha256)
    if run.model.latent_dim != 2:
        raise InputError(
            f"latent_dim is {run.model.latent_dim}, and the explorer shows a plane: give a run with latent_dim 2"
        )
    data = json.dumps(page_data(run, dataset, weights=weights, small=small), allow_nan=False)
    style, script = (PARTS / "style.css").read_text("utf-8"), _one_script()
    return Template((PARTS / "template.html").read_text("utf-8")).substitute(
        title=html.escape(f"{dataset.title}: jaxae explorer"),
        heading=html.escape(f"{dataset.title} through two numbers"),
        policy=f"default-src 'none'; img-src data:; style-src '{policy_digest(style)}'; script-src '{policy_digest(script)}'",
        style=style,
        script=script,
        data=data.replace("<", "\\u003c"),  # a class named </script> stays text
    )


def _one_script() -> str:
    sources = "\n".join((PARTS / f"{name}.js").read_text("utf-8") for name in MODULES)
    return re.sub(
        r"^export ",
        "",
        re.sub(r"^import .*;\n", "", sources, flags=re.MULTILINE),
        flags=re.MULTILINE,
    )
