"""jaxae export: writes a run's network as files for other programs."""

from dataclasses import asdict
from typing import Any

from jaxae.cli.command import Source
from jaxae.cli.messages import say
from jaxae.core.images import to_unit
from jaxae.data.dataset import check_data
from jaxae.errors import InputError
from jaxae.evaluation.records import Evaluation, provenance, read_record
from jaxae.evaluation.tables import markdown
from jaxae.export.folder import Format, export_run
from jaxae.export.model_card import model_card

IMAGES = 1000
"""How many of the first test images the files are compared on."""


def main(source: Source, *, to: tuple[Format, ...] = ("stablehlo", "onnx", "safetensors")) -> None:
    """Writes RUN/export: the encoder, the decoder and both as files that run without jaxae, and a model card, README.md.

    Each file is run in a fresh process on test images and compared with jaxae; a wrong one is not written. An earlier export is
    replaced. Under a minute.

    Example: jaxae export checkpoints/released --to onnx safetensors

    Args:
        source: The run and its data.
        to: The formats: stablehlo for JAX, onnx for ONNX runtimes, safetensors for PyTorch.
    """
    if not to:
        raise InputError(
            "--to names no format: give stablehlo, onnx, safetensors, or several of them"
        )
    run = source.load(source.directory)
    dataset = source.dataset(run.config)
    check_data(run.config, dataset, trained_on=run.data_sha256)
    images = to_unit(dataset.test.images[:IMAGES])
    evaluation = read_record(source.directory / "evaluation.json", Evaluation)

    def card(manifest: dict[str, Any]) -> str:
        return model_card(run, dataset, manifest, evaluation)

    about = asdict(provenance(run, dataset, split=f"the first {len(images)} test images"))
    folder = source.directory / "export"
    manifest = export_run(
        run, folder, formats=tuple(dict.fromkeys(to)), images=images, about=about, card=card
    )
    print(_table(manifest))
    say(f"Wrote {folder}: its README.md says how the files are used")


def _table(manifest: dict[str, Any]) -> str:
    rows = [
        [name, f"{each['bytes']:,}", f"{each['largest_difference']:.1e}", each["in"]]
        for name, each in manifest["files"].items()
        if "in" in each
    ]
    return markdown(["file", "bytes", "largest difference", "run in"], rows)
