"""The StableHLO programs, in a process that has JAX alone, against NumPy and jaxae itself."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.stablehlo import stablehlo
from jaxae.inference import decode, encode, load, reconstruct
from tests import ROOT
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics

pytest.importorskip("flatbuffers", reason="no flatbuffers: pip install -e '.[test]' brings it")
SCRIPT = """
import sys
import jax, numpy as np
folder = sys.argv[1]
with open(folder + "/program", "rb") as file:
    program = jax.export.deserialize(bytearray(file.read()))
inputs = np.load(folder + "/inputs.npz")
outputs = {name: np.asarray(program.call(x)) for name, x in inputs.items()}
np.savez(folder + "/outputs.npz", **outputs)
assert not {"jaxae", "flax"} & {name.split(".")[0] for name in sys.modules}
print(*program.platforms)
"""


def in_a_fresh_process(folder, program, inputs):
    """The outputs for each of the inputs, from a process that imports neither jaxae nor Flax."""
    (folder / "program").write_bytes(program)
    np.savez(folder / "inputs.npz", **inputs)
    command = [sys.executable, "-I", "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["cpu", "cuda", "tpu"]
    return dict(np.load(folder / "outputs.npz"))


def test_a_program_runs_where_jax_alone_is(tmp_path):
    """The released run, whose steep map magnifies rounding, that of noise most (docs/export.md)."""
    run = load(ROOT / "checkpoints" / "released")
    folded = fold_batch_norm(run)
    rng = np.random.default_rng(0)
    images = {str(size): rng.random((size, 28, 28, 1)).astype(np.float32) for size in (1, 257)}
    program = stablehlo(folded, "denoiser", image_shape=(28, 28, 1))
    found = in_a_fresh_process(tmp_path, program, images)

    for size, given in images.items():
        expected = apply_layers(folded.layers("denoiser"), given.reshape(len(given), -1))
        np.testing.assert_allclose(found[size].reshape(expected.shape), expected, rtol=0, atol=5e-5)
        np.testing.assert_allclose(found[size], reconstruct(run, given), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_each_part_computes_what_numpy_and_jaxae_compute(kind):
    run = run_with_statistics(
        widths=(32, 8), latent_activation=kind, image_shape=(7, 5, 3), latent_dim=3
    )
    folded = fold_batch_norm(run)
    rng = np.random.default_rng(0)
    images = rng.random((9, 7, 5, 3)).astype(np.float32)
    latents = rng.normal(0, 30, (9, 3)).astype(np.float32)  # far out

    for part, theirs in zip(PARTS, (encode, decode, reconstruct), strict=True):
        given = latents if part == "decoder" else images
        tolerance = 1e-4 if part == "decoder" else 2e-6
        program = jax.export.deserialize(bytearray(stablehlo(folded, part, image_shape=(7, 5, 3))))
        found = program.call(given)

        expected = apply_layers(folded.layers(part), given.reshape(9, -1))
        np.testing.assert_allclose(found.reshape(9, -1), expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(found, theirs(run, given), rtol=0, atol=tolerance)


def test_a_program_has_the_same_bytes_each_time_and_no_paths_of_this_machine():
    folded = fold_batch_norm(run_with_statistics(widths=(32, 8)))
    first, second = (stablehlo(folded, "denoiser", image_shape=(28, 28, 1)) for _ in range(2))
    assert first == second
    assert str(ROOT).encode() not in first
    assert b".py" not in first


def test_without_flatbuffers_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    monkeypatch.delitem(sys.modules, "jax._src.export.serialization", raising=False)
    folded = fold_batch_norm(run_with_statistics(widths=(8,)))
    with pytest.raises(InputError, match="pip install flatbuffers, or"):
        stablehlo(folded, "encoder", image_shape=(28, 28, 1))
