"""RUN/export: a run's files for other programs. Each is run in a process without jaxae before the folder takes its place."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from jaxae.digests import file_digest
from jaxae.errors import InputError
from jaxae.export import read_back
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.onnx_graph import onnx_graph
from jaxae.export.safetensors_file import safetensors_file
from jaxae.export.stablehlo import stablehlo, stablehlo_of_weights, weights_of
from jaxae.inference import Run, decode, encode, reconstruct
from jaxae.runs.files import file_errors, read_json
from jaxae.temporary import discard, replacing

Format = Literal["stablehlo", "onnx", "safetensors"]
MANIFEST, CARD = "manifest.json", "README.md"
ON_AVERAGE, AT_MOST = 1e-5, 1e-2
"""What a file may differ from jaxae: any one pixel or latent on average over the images, and anywhere."""


def export_run(
    run: Run,
    folder: Path,
    *,
    formats: Sequence[Format],
    images: np.ndarray,
    about: dict[str, Any],
    card: Callable[[dict[str, Any]], str],
) -> dict[str, Any]:
    """Writes the folder anew, whole or not at all, and returns its manifest. Raises InputError.

    images: real ones, f32[N, H, W, C] in [0, 1], on which each file is compared with jaxae. about: what the manifest says
    beside the files. card: from the manifest to the folder's README.md.
    """
    _check_old(folder)
    with _unfinished(folder) as new:
        for name, content in _contents(run, formats).items():
            (new / name).write_bytes(content)
        checks = _compare(run, new, formats, images)
        manifest = {
            **about,
            "files": {path.name: _describe(path, checks) for path in sorted(new.iterdir())},
        }
        (new / CARD).write_text(card(manifest), encoding="utf-8")
        manifest["files"][CARD] = _describe(new / CARD, checks)
        (new / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
    return manifest


def _contents(run: Run, formats: Sequence[Format]) -> dict[str, bytes]:
    """File name → contents."""
    folded, contents = fold_batch_norm(run), {}
    writers: dict[Format, Callable[..., bytes]] = {
        "stablehlo": stablehlo,
        "onnx": onnx_graph,
        "safetensors": safetensors_file,
    }
    for kind in formats:
        for part in PARTS:
            contents[f"{part}.{kind}"] = writers[kind](
                folded, part, image_shape=run.model.image_shape
            )
    if "stablehlo" in formats:
        for part in PARTS:
            contents[f"{part}.of_weights.stablehlo"] = stablehlo_of_weights(run, part)
        weights = io.BytesIO()
        np.savez(weights, allow_pickle=False, **weights_of(run))
        contents["weights.npz"] = weights.getvalue()
    return contents


def _compare(
    run: Run, folder: Path, formats: Sequence[Format], images: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Of each file, how far its outputs are from jaxae's and what ran it. Raises InputError where that is too far."""
    with jax.default_matmul_precision("highest"):  # GPUs round more by default; the files do not
        latents = encode(run, images)
        expected = {
            "encoder": latents,
            "decoder": decode(run, latents),
            "denoiser": reconstruct(run, images),
        }
    checks: dict[str, dict[str, Any]] = {}
    for kind in formats:
        outputs, runtimes = _read_back(kind, folder, {"images": images, "latents": latents})
        for name, found in outputs.items():
            wanted = expected[name.partition(".")[0]]
            unit = max(1.0, float(np.abs(wanted).max(initial=0)))  # of latents, which may be large
            difference = np.abs(np.subtract(found, wanted, dtype=np.float64))
            average, most = float(difference.mean(axis=0).max()), float(difference.max())
            if not (average <= ON_AVERAGE * unit and most <= AT_MOST * unit):  # false for NaN too
                raise InputError(
                    f"{name} computes something else than jaxae (in {runtimes[name]}, a number differs by {average:.1g} on "
                    f"average, by {most:.1g} at most): nothing is written; leave {kind} out of --to, and report it"
                )
            checks[name] = {
                "largest_difference": most,
                "mean_difference": float(difference.mean()),
                "in": runtimes[name],
            }
    return checks


def _read_back(
    kind: str, folder: Path, inputs: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What each file of one format makes of the inputs, and what ran it; in a process of its own, on the processor."""
    with tempfile.TemporaryDirectory() as place:
        given, found = Path(place) / "inputs.npz", Path(place) / "outputs.npz"
        np.savez(given, allow_pickle=False, **inputs)
        command = [
            sys.executable,
            "-I",
            read_back.__file__,
            kind,
            str(folder),
            str(given),
            str(found),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"}
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise InputError(
                f"The {kind} files can't be read back ({reason:.200}): nothing is written; leave {kind} out of --to"
            )
        with np.load(found) as outputs:
            return dict(outputs), json.loads(done.stdout.splitlines()[-1])


def _describe(path: Path, checks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_digest(path), **checks.get(path.name, {})}


def _check_old(folder: Path) -> None:
    """Raises InputError where there is something that no export wrote: it would be deleted."""
    with file_errors(folder):
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if strange := sorted(there - {MANIFEST, *read_json(folder / MANIFEST).get("files", {})}):
        raise InputError(
            f"{folder} holds {strange[0]}, which no export wrote, and would be deleted: move it away"
        )


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Yield a new folder, which replaces `folder` at the end, or is deleted if that is not reached."""
    with file_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as new:
            new.mkdir()
            yield new
            if folder.exists():
                discard(folder)
