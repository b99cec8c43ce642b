"""jaxae export: writes a run's network as files for other programs."""

from jaxae.cli.messages import say
from jaxae.cli.options import Source
from jaxae.errors import InputError
from jaxae.evaluation.records import Evaluation, read_record
from jaxae.evaluation.tables import markdown
from jaxae.export.folder import Format, Manifest, export_run
from jaxae.runs import files


def main(source: Source, *, to: tuple[Format, ...] = ("stablehlo", "onnx", "safetensors")) -> None:
    """Writes RUN/export: encoder, decoder and both as files that run without jaxae.

    README.md there is a model card. Each file is run in a fresh process on test images and
    compared with jaxae; a wrong one is not written. An earlier export is replaced. Under a minute.

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
    files.check_writable(source.directory)
    dataset = source.dataset(run.config)
    evaluation = read_record(source.directory / "evaluation.json", Evaluation)

    formats = tuple(dict.fromkeys(to))  # each once
    folder = source.directory / "export"
    manifest = export_run(run, dataset, folder, formats=formats, evaluation=evaluation)

    print(_table(manifest))
    say(f"Wrote {folder}: its README.md says how the files are used")


def _table(manifest: Manifest) -> str:
    rows = []
    for name, file in manifest.files.items():
        if file.comparison:
            difference = f"{file.comparison.largest_difference:.1e}"
            rows.append([name, f"{file.bytes:,}", difference, file.comparison.runtime])
    return markdown(["file", "bytes", "largest difference", "run in"], rows)
