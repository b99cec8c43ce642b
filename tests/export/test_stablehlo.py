"""The StableHLO programs, in a process that has JAX alone, beside NumPy and beside jaxae itself."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import PARTS, fold_batch_norm
from jaxae.export.stablehlo import stablehlo, stablehlo_of_weights, weights_of
from jaxae.inference import FEW, MANY, decode, encode, load, reconstruct
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
weights = [dict(np.load(folder + "/weights.npz"))] if sys.argv[2] else []
np.savez(folder + "/outputs.npz", **{name: np.asarray(program.call(*weights, x)) for name, x in inputs.items()})
assert not {"jaxae", "flax"} & {name.split(".")[0] for name in sys.modules}
print(*program.platforms)
"""


def in_a_fresh_process(folder, program, inputs, weights=None):
    """The outputs for each of the inputs, from a process that imports neither jaxae nor Flax."""
    (folder / "program").write_bytes(program)
    np.savez(folder / "inputs.npz", **inputs)
    np.savez(folder / "weights.npz", **(weights or {}))
    command = [sys.executable, "-I", "-c", SCRIPT, str(folder), "weights" if weights else ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["cpu", "cuda", "tpu"]
    return dict(np.load(folder / "outputs.npz"))


def test_a_program_with_weights_runs_where_jax_alone_is(tmp_path):
    """Of the released run, whose steep map magnifies rounding, that of noise more than that of garments (docs/export.md)."""
    run = load(ROOT / "checkpoints" / "released")
    folded, rng = fold_batch_norm(run), np.random.default_rng(0)
    images = {str(size): rng.random((size, 28, 28, 1)).astype(np.float32) for size in (1, 257)}
    found = in_a_fresh_process(
        tmp_path, stablehlo(folded, "denoiser", image_shape=(28, 28, 1)), images
    )
    for size, given in images.items():
        expected = apply_layers(folded.layers("denoiser"), given.reshape(len(given), -1))
        np.testing.assert_allclose(found[size].reshape(expected.shape), expected, rtol=0, atol=5e-5)
        np.testing.assert_allclose(found[size], reconstruct(run, given), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_each_part_computes_what_numpy_computes(kind):
    run = run_with_statistics(
        widths=(32, 8), latent_activation=kind, image_shape=(7, 5, 3), latent_dim=3
    )
    folded, rng = fold_batch_norm(run), np.random.default_rng(0)
    images, latents = (
        rng.random((9, 7, 5, 3)).astype(np.float32),
        rng.normal(0, 30, (9, 3)).astype(np.float32),
    )  # far out
    for part, theirs in zip(PARTS, (encode, decode, reconstruct), strict=True):
        given = latents if part == "decoder" else images
        program = jax.export.deserialize(bytearray(stablehlo(folded, part, image_shape=(7, 5, 3))))
        expected = apply_layers(folded.layers(part), given.reshape(9, -1))
        np.testing.assert_allclose(
            program.call(given).reshape(9, -1),
            expected,
            rtol=0,
            atol=1e-4 if part == "decoder" else 2e-6,
        )
        np.testing.assert_allclose(
            program.call(given),
            theirs(run, given),
            rtol=0,
            atol=1e-4 if part == "decoder" else 2e-6,
        )


def test_a_program_of_weights_gives_jaxaes_own_bits(tmp_path):
    """Of as many images as jaxae sends through its own program at a time: rounding depends on how many there are."""
    run = load(ROOT / "checkpoints" / "released")
    images = np.random.default_rng(0).random((MANY, 28, 28, 1)).astype(np.float32)
    program = stablehlo_of_weights(run, "denoiser")
    assert len(program) < 100_000
    found = in_a_fresh_process(tmp_path, program, {"images": images}, weights_of(run))
    np.testing.assert_array_equal(found["images"], reconstruct(run, images))


def test_other_weights_give_another_model():
    run, other = run_with_statistics(widths=(32, 8)), run_with_statistics(widths=(32, 8))
    other = other._replace(
        variables=jax.tree.map(lambda leaf: leaf * np.float32(0.9), other.variables)
    )
    latents = np.random.default_rng(0).normal(0, 3, (FEW, 2)).astype(np.float32)
    program = jax.export.deserialize(bytearray(stablehlo_of_weights(run, "decoder")))
    np.testing.assert_array_equal(program.call(weights_of(other), latents), decode(other, latents))
    assert np.abs(decode(other, latents) - decode(run, latents)).max() > 1e-3


def test_a_program_has_the_same_bytes_each_time_and_no_paths_of_this_machine():
    run = run_with_statistics(widths=(32, 8))
    first = stablehlo_of_weights(run, "denoiser")
    assert stablehlo_of_weights(run, "denoiser") == first
    for program in (first, stablehlo(fold_batch_norm(run), "encoder", image_shape=(28, 28, 1))):
        assert str(ROOT).encode() not in program
        assert b".py" not in program


def test_without_flatbuffers_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    monkeypatch.delitem(sys.modules, "jax._src.export.serialization", raising=False)
    with pytest.raises(InputError, match="pip install flatbuffers, or"):
        stablehlo(
            fold_batch_norm(run_with_statistics(widths=(8,))), "encoder", image_shape=(28, 28, 1)
        )
