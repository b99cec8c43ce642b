"""PyTorch as the oracle: the same weights must give the same outputs, losses, gradients and
learning rates.
"""

import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxae.config import Config
from jaxae.core.model import NARROW, WIDTHS, Autoencoder
from jaxae.core.objective import reconstruction_loss
from jaxae.core.optim import make_optimizer, make_plateau
from jaxae.core.rng import root_key
from jaxae.core.state import init_variables
from jaxae.data.dataset import sample

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it"
)
from benchmarks.speed import torch_model, torch_peer  # noqa: E402 - they import torch


@functools.cache
def random_variables(latent_activation: str):
    """Random weights everywhere, in float64."""
    model = Autoencoder(latent_activation=latent_activation)
    variables = jax.jit(functools.partial(init_variables, model=model))(root_key(0))
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda x: jnp.asarray(x + rng.uniform(-0.1, 0.1, x.shape), jnp.float64), variables
    )


@pytest.fixture(params=["linear", "relu"])
def twins(request):
    """A Flax model with random weights, dropout off, and its PyTorch twin.

    In float64: eighteen BatchNorms in a row magnify rounding so much that float32 would need
    tolerances that hide bugs.
    """
    with jax.enable_x64(True):
        variables = random_variables(request.param)
        model = Autoencoder(dropout=(0.0, 0.0, 0.0), latent_activation=request.param)
        twin = torch_model.build(dropout=(), latent_activation=request.param).double()
        torch_model.load_variables(twin, variables)
        yield model, variables, twin, np.random.default_rng(2).random((128, 28, 28, 1))


def close(ours, theirs) -> None:
    """Equal to float64 rounding, relative to the tensor's largest entry."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(
        np.asarray(ours), theirs, rtol=0, atol=1e-8 * (np.abs(theirs).max() + 1e-3)
    )


def test_evaluation_outputs(twins):
    model, variables, twin, images = twins
    output = np.asarray(jax.jit(model.apply)(variables, images)).reshape(128, 784)
    assert 0.1 < output.min() < output.max() < 0.9  # no sigmoid is saturated
    assert output.std(axis=0).mean() > 1e-4  # and the images count
    close(output, twin.eval()(torch.tensor(images.reshape(128, 784))))


def test_training_outputs_loss_gradients_and_statistics(twins):
    model, variables, twin, images = twins
    target = images[::-1].copy()

    def loss_of(params):
        output, updated = model.apply(
            {**variables, "params": params}, images, train=True, mutable=["batch_stats"]
        )
        return reconstruction_loss(output, target).mean(), (output, updated["batch_stats"])

    gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
    (loss, (output, stats)), gradients = gradient(variables["params"])
    running = [
        norm.running_var.numpy().copy()
        for norm in twin.modules()
        if isinstance(norm, torch.nn.BatchNorm1d)
    ]
    flat, flat_target = (
        torch.tensor(images.reshape(128, 784)),
        torch.tensor(target.reshape(128, 784)),
    )
    with torch.no_grad():
        expected_output = copy.deepcopy(twin).train()(flat)
    expected = torch_model.loss(twin.train(), flat, flat_target)
    expected.backward()

    close(output.reshape(128, 784), expected_output)
    close(loss, expected)
    for half, part in zip(("encoder", "decoder"), twin, strict=True):
        linears = [module for module in part if isinstance(module, torch.nn.Linear)]
        norms = [module for module in part if isinstance(module, torch.nn.BatchNorm1d)]
        for i, linear in enumerate(linears):
            ours = gradients[half][f"dense_{i}"]
            close(ours["kernel"].T, linear.weight.grad)
            if i < len(norms):
                close(gradients[half][f"batch_norm_{i}"]["scale"], norms[i].weight.grad)
                close(gradients[half][f"batch_norm_{i}"]["bias"], norms[i].bias.grad)
                ours_stats = stats[half][f"batch_norm_{i}"]
                close(ours_stats["mean"], norms[i].running_mean)
                # PyTorch's running variance is the unbiased one, Flax's the biased one.
                before = running.pop(0)
                biased = 0.9 * before + (norms[i].running_var.numpy() - 0.9 * before) * 127 / 128
                close(ours_stats["var"], torch.tensor(biased))


def test_clipped_adamw_takes_pytorchs_steps():
    """Three steps, the first with a gradient far above the clipping norm."""
    rng = np.random.default_rng(0)
    start, gradients = (
        rng.normal(size=50).astype(np.float32),
        rng.normal(size=(3, 50)).astype(np.float32),
    )
    gradients[0] *= 100
    optimizer = make_optimizer(learning_rate=1e-2, weight_decay=0.1, clip_norm=1.0)
    params = jnp.asarray(start)
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    theirs = torch.nn.Parameter(torch.tensor(start))
    adamw = torch.optim.AdamW([theirs], lr=1e-2, weight_decay=0.1)
    for gradient in gradients:
        updates, state = update(jnp.asarray(gradient), state, params)
        params = params + updates
        theirs.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_([theirs], 1.0)
        adamw.step()
        np.testing.assert_allclose(params, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


@functools.cache
def compiled_plateau(factor: float, patience: int):
    """Return the plateau and its jitted update, (state, value) → state."""
    plateau = make_plateau(factor=factor, patience=patience, min_scale=0.01)
    return plateau, jax.jit(lambda state, value: plateau.update({}, state, value=value)[1])


# Powers of 1.05: two losses are equal or differ by far more than the threshold, so rounding decides
# nothing.
@given(
    exponents=st.lists(st.integers(-40, 0), min_size=1, max_size=40),
    patience=st.integers(1, 4),
    factor=st.sampled_from([0.1, 0.5]),  # each pair is a program to compile
)
@settings(max_examples=60, deadline=None)
def test_plateau_follows_reduce_lr_on_plateau_epoch_for_epoch(exponents, patience, factor):
    plateau, update = compiled_plateau(factor, patience)
    state = plateau.init(jnp.zeros(1))
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        sgd, factor=factor, patience=patience - 1, min_lr=0.01, eps=0
    )
    for exponent in exponents:
        state = update(state, jnp.float32(1.05**exponent))
        theirs.step(1.05**exponent)
        np.testing.assert_allclose(state.scale, sgd.param_groups[0]["lr"], rtol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "tuned"])
def test_the_races_peer_does_jaxaes_work(kind):
    """The peers of benchmarks/ see every image once an epoch, with fresh noise and dropout, and
    take clipped AdamW steps.
    """
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    peer = torch_peer.Peer(kind, Config(dataset="synthetic", batch_size=8, clip_norm=1e-3), images)
    seen = torch.cat(list(peer.batches())).numpy()
    np.testing.assert_array_equal(
        np.sort(seen.sum(axis=1)), np.sort(images.reshape(40, 784).sum(axis=1, dtype=np.int64))
    )
    batch = torch.from_numpy(images[:8].reshape(8, 784)).float() / 255
    first = next(peer.model.parameters())
    before = first.detach().clone()
    assert np.isfinite(peer.epoch())
    assert not torch.equal(before, first)
    norm = torch.nn.utils.get_total_norm(
        [p.grad for p in peer.model.parameters() if p.grad is not None]
    )
    np.testing.assert_allclose(
        norm, 1e-3, rtol=1e-2
    )  # a millionth is added to the norm that PyTorch divides by
    noise = torch_model.corrupt(torch.full((100, 784), 0.5), 0.1) - 0.5
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 0.1], atol=2e-3)
    assert torch_model.corrupt(batch, 9.0).aminmax() == (0, 1)


def test_the_races_peer_multiplies_in_bfloat16_where_the_recipe_does():
    images, outputs = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8), []
    for dtype in ("float32", "bfloat16"):
        peer = torch_peer.Peer(
            "tuned", Config(dataset="synthetic", batch_size=40, matmul_dtype=dtype), images
        )
        *_, sigmoid = peer.model.modules()
        sigmoid.register_forward_hook(lambda _module, _inputs, output: outputs.append(output.dtype))
        assert np.isfinite(peer.epoch())
        assert {p.dtype for p in peer.model.parameters()} == {torch.float32}
    assert outputs == [torch.float32, torch.bfloat16]


def test_the_races_peer_evaluates_what_jaxae_evaluates():
    """Averaged weights, with batch statistics of a sample of training images, noisy and without
    dropout.
    """
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    recipe = Config(
        dataset="synthetic",
        batch_size=8,
        average_decay=0.3,
        statistics_images=100,
        learning_rate=0.1,
    )
    peer = torch_peer.Peer("tuned", recipe, images)
    shifts = {
        m.num_features: set(m.bias.tolist())
        for m in peer.model.modules()
        if isinstance(m, torch.nn.BatchNorm1d)
    }
    assert {
        width: {recipe.narrow_shift} if width <= NARROW else {0.0} for width in WIDTHS
    } == shifts
    first = next(peer.model.parameters())
    expected = torch.zeros_like(first)
    for done, batch in enumerate(peer.batches()):
        peer.step(batch)
        kept = min(0.3, (1 + done) / (10 + done)) if done else 0.0
        expected = kept * expected + (1 - kept) * first.detach()
    model = peer.evaluated()
    torch.testing.assert_close(next(model.parameters()), expected)
    norm = next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d))
    drawn, _ = peer._noisy(peer.images[torch.tensor(sample(40, 100))])
    torch.testing.assert_close(
        norm.running_mean, (drawn @ expected.T).mean(dim=0), atol=1e-5, rtol=1e-4
    )
    noisy, clean = peer._noisy(peer.images)
    assert peer.validate(images) == torch_model.loss(model, noisy, clean).item()
