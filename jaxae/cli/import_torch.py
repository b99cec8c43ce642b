"""jaxae import-torch: makes a run of weights that PyTorch has trained."""

from pathlib import Path
from typing import Annotated

import tyro

from jaxae.cli.messages import say
from jaxae.cli.options import optional
from jaxae.data.load import canonical_name
from jaxae.digests import file_digest
from jaxae.errors import InputError, expand
from jaxae.export.torch_weights import read_torch
from jaxae.runs import checkpoint, files
from jaxae.runs.directory import run_directory
from jaxae.runs.environment import versions
from jaxae.runs.manifest import owner_of
from jaxae.temporary import replacing

EPOCH = 0
"""The checkpoint's epoch: jaxae has trained none."""


def main(
    file: tyro.conf.Positional[Path],
    *,
    run_dir: Path = Path("checkpoints/imported"),
    dataset: str = "fashion_mnist",
    noise_factor: float = 0.25,
    image_shape: Annotated[
        tuple[int, int, int] | None,
        optional("HEIGHT WIDTH CHANNELS", "Shape of the images; by default square and grey."),
    ] = None,
) -> None:
    """Makes a run of PyTorch's weights: it can be evaluated, scored and drawn, but not trained on.

    The file holds the state_dict of nn.Sequential(encoder, decoder), as
    safetensors.torch.save_file writes it. Encoder and decoder are nn.Linear, nn.BatchNorm1d (or
    none), nn.ReLU, and so on; the decoder mirrors the encoder and ends with nn.Sigmoid.

    Example: jaxae import-torch denoiser.safetensors --run-dir checkpoints/theirs

    Args:
        file: The safetensors file.
        run_dir: Run directory to write; it must not exist.
        dataset: The images that it was trained on: a name, a file or a folder, as in jaxae train.
        noise_factor: Standard deviation of the noise that it was trained on.
    """
    source = expand(file)
    config, variables = read_torch(
        source,
        image_shape=image_shape,
        dataset=canonical_name(dataset),
        noise_factor=noise_factor,
    )

    directory = run_directory(run_dir, config)
    if directory.exists():
        raise InputError(
            f"{directory} can't be used (File exists): name a directory that does not exist yet"
        )

    environment = {
        "imported_from": {"file": source.name, "sha256": file_digest(source)},
        "versions": versions(),
    }

    with files.file_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with replacing(directory) as unfinished:
            (unfinished / checkpoint.FOLDER).mkdir(parents=True)
            files.write_text(unfinished / "config.json", config.to_json())
            files.write_json(unfinished / "environment.json", environment)
            checkpoint.write_checkpoint(
                unfinished / checkpoint.FOLDER / str(EPOCH),
                {"variables": variables},
                best_epoch=EPOCH,
                owner=owner_of(config),
            )

    say(
        f"Wrote {directory}. In its config.json the options of training are jaxae's defaults, "
        "which say nothing of this model"
    )
    print(directory)
