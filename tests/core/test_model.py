import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.core.images import to_unit
from jaxae.core.model import Autoencoder, matmul_bfloat16
from jaxae.core.rng import root_key
from jaxae.core.state import init_variables
from jaxae.data.load import load_dataset
from jaxae.errors import silent
from jaxae.inference import load
from tests import ROOT

SMALL = (128, 64, 32, 8)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((32, 28, 28, 1)).astype(np.float32)


@pytest.fixture(params=["linear", "relu"])
def model(request) -> Autoencoder:
    return Autoencoder(widths=SMALL, latent_activation=request.param, narrow_shift=2.0)


def fresh(model: Autoencoder):
    """Variables before training. One program for all that differ in what they do with them."""
    return _fresh(model.clone(dropout=()))


@functools.cache
def _fresh(model: Autoencoder):
    return jax.jit(functools.partial(init_variables, model=model))(root_key(0))


def apply(model: Autoencoder, variables, images, **options):
    """model.apply, jitted: layer by layer takes seconds. options: its own, but for arrays, which go
    into rngs.
    """
    rngs = options.pop("rngs", {})
    return jax.jit(
        lambda variables, images, rngs: model.apply(variables, images, rngs=rngs, **options)
    )(variables, images, rngs)


def kernels(tree) -> list[tuple[int, ...]]:
    """Shapes of the Dense kernels in the order of the layers."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    shapes = [leaf.shape for path, leaf in flat if "kernel" in jax.tree_util.keystr(path)]
    return sorted(shapes, reverse=True)


def test_widths_are_those_of_the_procedure():
    variables = jax.eval_shape(functools.partial(init_variables, model=Autoencoder()), root_key(0))
    widths = [784, 512, 256, 128, 64, 32, 16, 8, 4, 2]
    down = list(itertools.pairwise(widths))
    assert kernels(variables["params"]["encoder"]) == down
    assert kernels(variables["params"]["decoder"]) == sorted(
        ((b, a) for a, b in down), reverse=True
    )


def test_shapes_and_ranges(model, images):
    variables = jax.tree.map(lambda leaf: leaf, fresh(model))
    latents = apply(model, variables, images, method="encode")
    output = apply(model, variables, images)
    assert latents.shape == (32, 2)
    assert output.shape == images.shape
    assert output.min() > 0
    assert output.max() < 1
    last = variables["params"]["encoder"][f"dense_{len(model.widths)}"]
    last["kernel"] = -last["kernel"]  # so that a linear latent is negative now or was before
    negated = apply(model, variables, images, method="encode")
    assert (min(latents.min(), negated.min()) >= 0) == (model.latent_activation == "relu")


def test_whole_is_decode_after_encode(model, images):
    variables = fresh(model)
    latents = apply(model, variables, images, method="encode")
    np.testing.assert_array_equal(
        apply(model, variables, latents, method="decode"), apply(model, variables, images)
    )


def test_evaluation_treats_each_image_alone(model, images):
    variables = fresh(model)
    np.testing.assert_allclose(
        apply(model, variables, images)[3:5], apply(model, variables, images[3:5]), atol=1e-6
    )


def test_training_updates_statistics_as_momentum_09_says(images):
    model = Autoencoder(dropout=(0.0, 0.0, 0.0), widths=SMALL)
    variables = fresh(model)
    _, updated = apply(model, variables, images, train=True, mutable=["batch_stats"])
    x = images.reshape(32, 784) @ np.asarray(variables["params"]["encoder"]["dense_0"]["kernel"])
    stats = updated["batch_stats"]["encoder"]["batch_norm_0"]
    np.testing.assert_allclose(stats["mean"], 0.1 * x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * x.var(0), rtol=1e-4, atol=1e-5)


def test_dropout_needs_a_key_and_acts_in_training_alone(images):
    model = Autoencoder(widths=SMALL)
    variables = fresh(model)

    def run(seed: int):
        return apply(
            model,
            variables,
            images,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(seed)},
        )[0]

    assert (run(1) == run(1)).all()
    assert (run(1) != run(2)).any()
    with pytest.raises(Exception, match="dropout"):
        apply(model, variables, images, train=True, mutable=["batch_stats"])


def test_dropout_rates_after_the_first_three_layers():
    """ReLU alone makes about half of a layer's outputs zero; dropout 0.5 takes half of the rest as
    well.
    """
    images = np.random.default_rng(0).random((64, 28, 28, 1)).astype(np.float32)
    for position in range(3):
        rates = [0.0, 0.0, 0.0]
        rates[position] = 0.5
        model = Autoencoder(dropout=tuple(rates), widths=SMALL)
        variables = fresh(model)
        _, seen = apply(
            model,
            variables,
            images,
            train=True,
            mutable=["batch_stats", "intermediates"],
            capture_intermediates=True,
            rngs={"dropout": jax.random.key(0)},
        )
        layers = seen["intermediates"]["encoder"]
        zeros = [float(jnp.mean(layers[f"dropout_{i}"]["__call__"][0] == 0)) for i in range(4)]
        assert zeros[position] > 0.7, zeros
        assert all(share < 0.62 for i, share in enumerate(zeros) if i != position), zeros


def test_products_of_bfloat16_and_their_derivatives_against_numpy():
    """Operands rounded as NumPy rounds them to ml_dtypes' bfloat16, the sums as exact as float32's;
    for members too.
    """
    rng = np.random.default_rng(0)
    x, kernel, gradient = (
        rng.standard_normal(shape, np.float32)
        for shape in ((3, 16, 784), (3, 784, 32), (3, 16, 32))
    )

    def rounded(a):
        return a.astype(jnp.bfloat16).astype(np.float64)

    def product_and_derivatives(x, kernel, gradient):
        product, derivatives = jax.vjp(matmul_bfloat16, x, kernel)
        return product, *derivatives(gradient)

    results = jax.jit(jax.vmap(product_and_derivatives))(x, kernel, gradient)
    a, b, c = map(rounded, (x, kernel, gradient))
    expected = a @ b, c @ b.swapaxes(1, 2), a.swapaxes(1, 2) @ c
    for result, value in zip(results, expected, strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, value, rtol=1e-4, atol=1e-4)
    assert (
        np.abs(expected[0] - x.astype(np.float64) @ kernel).max() > 1e-2
    )  # which is what rounding does


def gradient(model: Autoencoder, variables, images) -> np.ndarray:
    """Of the squared error over all parameters, as one row."""

    def error(params):
        output, _ = model.apply(
            {**variables, "params": params}, images, train=True, mutable=["batch_stats"]
        )
        return jnp.mean(jnp.square(output - images))

    return np.concatenate(
        [np.ravel(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(error))(variables["params"]))]
    )


def test_a_trained_model_in_bfloat16_has_nearly_the_same_gradient(real_files, tmp_path):
    """With the narrow layers in bfloat16 as well, the gradient is off by 0.34 of its norm, with
    noise on the images by 0.9.
    """
    images = to_unit(
        load_dataset(
            "fashion_mnist", data_dir=tmp_path, manual_dir=real_files, report=silent
        ).train.images[:128]
    )
    variables, still = load(ROOT / "checkpoints/released").variables, Autoencoder(dropout=())
    exact, near = (
        gradient(model, variables, images)
        for model in (still, still.clone(matmul_dtype="bfloat16"))
    )
    assert 1e-3 < np.linalg.norm(near - exact) / np.linalg.norm(exact) < 0.2


def test_narrow_layers_stay_in_float32(images):
    narrow = Autoencoder(widths=(16, 4), dropout=())
    variables = fresh(narrow)
    rounded = gradient(narrow.clone(matmul_dtype="bfloat16"), variables, images)
    np.testing.assert_array_equal(rounded, gradient(narrow, variables, images))
