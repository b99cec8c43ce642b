import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.core.model import Autoencoder
from jaxae.core.state import init_variables
from jaxae.rng import root_key


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((32, 28, 28, 1)).astype(np.float32)


@pytest.fixture(params=["linear", "relu"])
def model(request) -> Autoencoder:
    return Autoencoder(latent_activation=request.param)


def fresh(model: Autoencoder):
    """Variables before training; jitted, since layer by layer takes seconds."""
    return jax.jit(functools.partial(init_variables, model=model))(root_key(0))


def apply(model: Autoencoder, variables, images, **options):
    """model.apply, jitted: layer by layer takes seconds. options: its own, but for arrays, which go into rngs."""
    rngs = options.pop("rngs", {})
    return jax.jit(lambda variables, images, rngs: model.apply(variables, images, rngs=rngs, **options))(
        variables, images, rngs
    )


def kernels(tree) -> list[tuple[int, ...]]:
    """Shapes of the Dense kernels in the order of the layers."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    shapes = [leaf.shape for path, leaf in flat if "kernel" in jax.tree_util.keystr(path)]
    return sorted(shapes, reverse=True)


def test_widths_are_those_of_the_procedure():
    variables = fresh(Autoencoder())
    widths = [784, 512, 256, 128, 64, 32, 16, 8, 4, 2]
    down = list(itertools.pairwise(widths))
    assert kernels(variables["params"]["encoder"]) == down
    assert kernels(variables["params"]["decoder"]) == sorted(((b, a) for a, b in down), reverse=True)


def test_shapes_and_ranges(model, images):
    variables = fresh(model)
    latents = apply(model, variables, images, method="encode")
    output = apply(model, variables, images)
    assert latents.shape == (32, 2)
    assert output.shape == images.shape
    assert output.min() > 0
    assert output.max() < 1
    assert (latents.min() >= 0) == (model.latent_activation == "relu")


def test_whole_is_decode_after_encode(model, images):
    variables = fresh(model)
    latents = apply(model, variables, images, method="encode")
    np.testing.assert_array_equal(apply(model, variables, latents, method="decode"), apply(model, variables, images))


def test_evaluation_treats_each_image_alone(model, images):
    variables = fresh(model)
    np.testing.assert_allclose(apply(model, variables, images)[3:5], apply(model, variables, images[3:5]), atol=1e-6)


def test_training_updates_statistics_as_momentum_09_says(images):
    model = Autoencoder(dropout=(0.0, 0.0, 0.0))
    variables = fresh(model)
    _, updated = apply(model, variables, images, train=True, mutable=["batch_stats"])
    x = images.reshape(32, 784) @ np.asarray(variables["params"]["encoder"]["Layer_0"]["Dense_0"]["kernel"])
    stats = updated["batch_stats"]["encoder"]["Layer_0"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], 0.1 * x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * x.var(0), rtol=1e-4, atol=1e-5)


def test_dropout_needs_a_key_and_acts_in_training_alone(images):
    model = Autoencoder()
    variables = fresh(model)

    def run(seed: int):
        return apply(model, variables, images, train=True, mutable=["batch_stats"], rngs={"dropout": jax.random.key(seed)})[0]

    assert (run(1) == run(1)).all()
    assert (run(1) != run(2)).any()
    with pytest.raises(Exception, match="dropout"):
        apply(model, variables, images, train=True, mutable=["batch_stats"])


def test_dropout_rates_after_the_first_three_layers():
    """ReLU alone makes about half of a layer's outputs zero; dropout 0.5 takes half of the rest as well."""
    images = np.random.default_rng(0).random((64, 28, 28, 1)).astype(np.float32)
    for position in range(3):
        rates = [0.0, 0.0, 0.0]
        rates[position] = 0.5
        model = Autoencoder(dropout=tuple(rates))
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
        zeros = [float(jnp.mean(layers[f"Layer_{i}"]["__call__"][0] == 0)) for i in range(4)]
        assert zeros[position] > 0.7, zeros
        assert all(share < 0.62 for i, share in enumerate(zeros) if i != position), zeros
