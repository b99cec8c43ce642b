"""A denoising autoencoder with a 2-D latent space, as pure functions on JAX."""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxae.config import PRESETS, Config
    from jaxae.data.load import load_dataset
    from jaxae.errors import Diverged, InputError
    from jaxae.estimator.autoencoder import DenoisingAutoencoder
    from jaxae.evaluation.reconstruction import evaluate
    from jaxae.inference import corrupt, decode, encode, load, reconstruct
    from jaxae.report.new_pictures import read_pictures
    from jaxae.train.loop import fit
    from jaxae.train.progress import Epoch

    __version__: str

_PLACES = {
    "load": "inference",
    "encode": "inference",
    "decode": "inference",
    "reconstruct": "inference",
    "read_pictures": "report.new_pictures",
    "corrupt": "inference",
    "evaluate": "evaluation.reconstruction",
    "fit": "train.loop",
    "DenoisingAutoencoder": "estimator.autoencoder",
    "load_dataset": "data.load",
    "Config": "config",
    "PRESETS": "config",
    "InputError": "errors",
    "Diverged": "errors",
    "Epoch": "train.progress",
}
"""Public name → the module that has it, loaded on first use: `import jaxae` itself is quick."""

__all__ = [
    "PRESETS",
    "Config",
    "Diverged",
    "Epoch",
    "InputError",
    "__version__",
    "corrupt",
    "decode",
    "encode",
    "evaluate",
    "fit",
    "load",
    "load_dataset",
    "plots",
    "read_pictures",
    "reconstruct",
]
if importlib.util.find_spec("sklearn"):  # without it `from jaxae import *` has to work too
    __all__ += ["DenoisingAutoencoder"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("jaxae")
    elif name == "plots":
        value = importlib.import_module("jaxae.evaluation.plots")
    elif name in _PLACES:
        value = getattr(importlib.import_module(f"jaxae.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"module 'jaxae' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
