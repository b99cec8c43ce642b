"""RUN/export: a run's files for other programs, and the model card.

Each file is run in a process without jaxae, and compared with jaxae, before the folder takes its
place.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import jax
import numpy as np

from jaxae.core.images import to_unit
from jaxae.data.dataset import Dataset
from jaxae.digests import file_digest
from jaxae.errors import InputError
from jaxae.evaluation.records import Evaluation, Provenance, check_run_and_data, provenance
from jaxae.export import read_back
from jaxae.export.fold_batch_norm import PARTS, FoldedModel, Part, fold_batch_norm
from jaxae.export.model_card import Comparison, ExportedFile, model_card
from jaxae.export.onnx_graph import onnx_graph
from jaxae.export.safetensors_file import safetensors_file
from jaxae.export.stablehlo import stablehlo
from jaxae.inference import Run, decode, encode, reconstruct
from jaxae.runs.files import file_errors, read_json, write_json
from jaxae.temporary import discard, replacing

Format = Literal["stablehlo", "onnx", "safetensors"]
MANIFEST = "manifest.json"
CARD = "README.md"
COMPARED = 1000
"""On how many of the first test images the files are compared with jaxae."""
MOST_ON_AVERAGE = 1e-5
"""How far each pixel or latent of a file may be from jaxae's, on average over the images."""
MOST_ANYWHERE = 1e-2
"""The same for the largest difference of all."""


class Writer(Protocol):
    """Makes the contents of a file from a part of a model."""

    def __call__(
        self, folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]
    ) -> bytes: ...


class ReadBack(NamedTuple):
    """The outputs of an exported file, and the package that ran it."""

    outputs: np.ndarray
    runtime: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of RUN/export/manifest.json."""

    about: Provenance
    files: dict[str, ExportedFile]
    """By name."""


def export_run(
    run: Run,
    dataset: Dataset,
    folder: Path,
    *,
    formats: Sequence[Format],
    evaluation: Evaluation | None,
) -> Manifest:
    """Write the folder again, whole or not at all, and return its manifest.

    A sample of COMPARED test images is used to compare the files with jaxae. evaluation: the run's,
    for the card. Raises InputError for other data than the run's, for a file that computes
    something else than jaxae, and if the folder holds files that no export wrote.
    """
    check_run_and_data(run, dataset)
    _check_old(folder)
    images = to_unit(dataset.test.at_most(COMPARED).images)
    about = provenance(run, dataset, split=f"{len(images)} test images")

    with _unfinished(folder) as new:
        _write_files(run, new, formats)
        comparisons = _compare(run, new, formats, images)

        files = {
            path.name: _describe(path, comparisons.get(path.name)) for path in sorted(new.iterdir())
        }
        card = model_card(run, dataset, files, compared_on=about.split, evaluation=evaluation)
        (new / CARD).write_text(card, encoding="utf-8")
        files[CARD] = _describe(new / CARD, None)

        manifest = Manifest(about=about, files=files)
        write_json(new / MANIFEST, asdict(manifest))

    return manifest


def _write_files(run: Run, folder: Path, formats: Sequence[Format]) -> None:
    writers: dict[Format, Writer] = {
        "stablehlo": stablehlo,
        "onnx": onnx_graph,
        "safetensors": safetensors_file,
    }
    folded = fold_batch_norm(run)

    for file_format in formats:
        for part in PARTS:
            content = writers[file_format](folded, part, image_shape=run.model.image_shape)
            (folder / f"{part}.{file_format}").write_bytes(content)


def _compare(
    run: Run, folder: Path, formats: Sequence[Format], images: np.ndarray
) -> dict[str, Comparison]:
    """Return how far each file is from jaxae. Raises InputError if one is too far."""
    with jax.default_matmul_precision("highest"):  # GPUs round more by default; the files do not
        latents = encode(run, images)
        expected = {
            "encoder": latents,
            "decoder": decode(run, latents),
            "denoiser": reconstruct(run, images),
        }

    comparisons: dict[str, Comparison] = {}
    for file_format in formats:
        for name, found in _read_back(file_format, folder, images, latents).items():
            wanted = expected[name.partition(".")[0]]
            difference = np.abs(np.subtract(found.outputs, wanted, dtype=np.float64))
            average = float(difference.mean(axis=0).max())
            largest = float(difference.max())

            scale = max(1.0, float(np.abs(wanted).max(initial=0)))  # latents may be large
            close = average <= MOST_ON_AVERAGE * scale and largest <= MOST_ANYWHERE * scale
            if not close:  # so for NaN too
                raise InputError(
                    f"{name} computes something else than jaxae (in {found.runtime}, a number "
                    f"differs by {average:.1g} on average, by {largest:.1g} at most): "
                    f"nothing is written; leave {file_format} out of the formats, and report it"
                )

            comparisons[name] = Comparison(
                largest_difference=largest,
                mean_difference=float(difference.mean()),
                runtime=found.runtime,
            )
    return comparisons


def _read_back(
    file_format: Format, folder: Path, images: np.ndarray, latents: np.ndarray
) -> dict[str, ReadBack]:
    """Return what each file of a format makes of its inputs, by name of the file.

    They run in a process of their own, on the CPU.
    """
    with tempfile.TemporaryDirectory() as place:
        inputs = Path(place) / "inputs.npz"
        outputs = Path(place) / "outputs.npz"
        np.savez(inputs, allow_pickle=False, images=images, latents=latents)

        script = [sys.executable, "-I", read_back.__file__]
        done = subprocess.run(
            [*script, file_format, str(folder), str(inputs), str(outputs)],
            capture_output=True,
            text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise InputError(
                f"The {file_format} files can't be read back ({lines[-1]:.200}): "
                f"nothing is written; leave {file_format} out of the formats"
            )

        runtimes = json.loads(done.stdout.splitlines()[-1])
        with np.load(outputs) as arrays:
            return {name: ReadBack(arrays[name], runtimes[name]) for name in arrays}


def _describe(path: Path, comparison: Comparison | None) -> ExportedFile:
    return ExportedFile(bytes=path.stat().st_size, sha256=file_digest(path), comparison=comparison)


def _check_old(folder: Path) -> None:
    """Raise InputError if the folder holds a file that no export wrote: it would be deleted."""
    with file_errors(folder):
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()

    exported = read_json(folder / MANIFEST).get("files", {})
    strange = sorted(there - {MANIFEST} - set(exported))
    if strange:
        raise InputError(
            f"{folder} holds {strange[0]}, which no export wrote, and would be deleted: "
            "move it away"
        )


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Yield a new folder. It replaces `folder` at the end, or is deleted if that is not reached."""
    with file_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as new:
            new.mkdir()
            yield new
            if folder.exists():
                discard(folder)
