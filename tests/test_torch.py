"""PyTorch as the oracle: the same weights must give the same outputs, losses, gradients and learning rates."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxae.model import WIDTHS, Autoencoder
from jaxae.objective import reconstruction_loss
from jaxae.optim import make_optimizer, make_plateau
from jaxae.rng import root_key
from jaxae.state import init_variables

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]' brings it")


def torch_half(layers, params, stats, last: str):
    """Linear → BatchNorm1d → ReLU for each pair of widths, with weights copied from a Flax half; `last` as named."""
    modules: list = []
    for i, (inputs, outputs) in enumerate(layers):
        plain = i == len(layers) - 1 and last != "relu"
        dense = params["Dense_0"] if plain else params[f"Layer_{i}"]["Dense_0"]
        linear = torch.nn.Linear(inputs, outputs, bias=plain, dtype=torch.float64)
        linear.weight.data = torch.tensor(np.array(dense["kernel"]).T.copy())
        modules.append(linear)
        if plain:
            linear.bias.data = torch.tensor(np.array(dense["bias"]))
            modules += [torch.nn.Sigmoid()] if last == "sigmoid" else []
            continue
        norm = torch.nn.BatchNorm1d(outputs, dtype=torch.float64)
        norm.weight.data = torch.tensor(np.array(params[f"Layer_{i}"]["BatchNorm_0"]["scale"]))
        norm.bias.data = torch.tensor(np.array(params[f"Layer_{i}"]["BatchNorm_0"]["bias"]))
        norm.running_mean = torch.tensor(np.array(stats[f"Layer_{i}"]["BatchNorm_0"]["mean"]))
        norm.running_var = torch.tensor(np.array(stats[f"Layer_{i}"]["BatchNorm_0"]["var"]))
        modules += [norm, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules)


@pytest.fixture(params=["linear", "relu"])
def twins(request):
    """A Flax model with random weights everywhere, dropout off, and its PyTorch twin.

    In float64: eighteen BatchNorms in a row magnify rounding so much that float32 would need tolerances that hide bugs.
    """
    with jax.enable_x64(True):
        model = Autoencoder(dropout=(0.0, 0.0, 0.0), latent_activation=request.param)
        variables = init_variables(root_key(0), model=model)
        rng = np.random.default_rng(1)
        variables = jax.tree.map(lambda x: jnp.asarray(x + rng.uniform(0, 0.1, x.shape), jnp.float64), variables)
        widths = [784, *WIDTHS, 2]
        down = list(itertools.pairwise(widths))
        up = [(b, a) for a, b in reversed(down)]
        twin = torch.nn.Sequential(
            torch_half(down, variables["params"]["encoder"], variables["batch_stats"]["encoder"], request.param),
            torch_half(up, variables["params"]["decoder"], variables["batch_stats"]["decoder"], "sigmoid"),
        )
        yield model, variables, twin, rng.random((128, 28, 28))


def torch_loss(output, target):
    return torch.nn.functional.mse_loss(output, target) + torch.nn.functional.l1_loss(output, target)


def close(ours, theirs) -> None:
    """Equal to float64 rounding, relative to the tensor's largest entry."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=1e-8 * (np.abs(theirs).max() + 1e-3))


def test_evaluation_outputs(twins):
    model, variables, twin, images = twins
    close(model.apply(variables, images).reshape(128, 784), twin.eval()(torch.tensor(images.reshape(128, 784))))


def test_training_outputs_loss_gradients_and_statistics(twins):
    model, variables, twin, images = twins
    target = images[::-1].copy()

    @jax.jit
    def loss_of(params):
        output, updated = model.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
        return reconstruction_loss(output, target).mean(), (output, updated["batch_stats"])

    (loss, (output, stats)), gradients = jax.value_and_grad(loss_of, has_aux=True)(variables["params"])
    running = [norm.running_var.numpy().copy() for norm in twin.modules() if isinstance(norm, torch.nn.BatchNorm1d)]
    expected_output = twin.train()(torch.tensor(images.reshape(128, 784)))
    expected = torch_loss(expected_output, torch.tensor(target.reshape(128, 784)))
    expected.backward()

    close(output.reshape(128, 784), expected_output)
    close(loss, expected)
    for half, part in zip(("encoder", "decoder"), twin, strict=True):
        linears = [module for module in part if isinstance(module, torch.nn.Linear)]
        norms = [module for module in part if isinstance(module, torch.nn.BatchNorm1d)]
        for i, linear in enumerate(linears):
            ours = gradients[half][f"Layer_{i}"]["Dense_0"] if i < len(norms) else gradients[half]["Dense_0"]
            close(ours["kernel"].T, linear.weight.grad)
            if i < len(norms):
                close(gradients[half][f"Layer_{i}"]["BatchNorm_0"]["scale"], norms[i].weight.grad)
                close(gradients[half][f"Layer_{i}"]["BatchNorm_0"]["bias"], norms[i].bias.grad)
                ours_stats = stats[half][f"Layer_{i}"]["BatchNorm_0"]
                close(ours_stats["mean"], norms[i].running_mean)
                # PyTorch's running variance is the unbiased one, Flax's the biased one.
                before = running.pop(0)
                biased = 0.9 * before + (norms[i].running_var.numpy() - 0.9 * before) * 127 / 128
                close(ours_stats["var"], torch.tensor(biased))


def test_clipped_adamw_takes_pytorchs_steps():
    """Three steps, the first with a gradient far above the clipping norm."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=50).astype(np.float32), rng.normal(size=(3, 50)).astype(np.float32)
    gradients[0] *= 100
    optimizer = make_optimizer(learning_rate=1e-2, weight_decay=0.1, clip_norm=1.0)
    params = jnp.asarray(start)
    state = optimizer.init(params)
    theirs = torch.nn.Parameter(torch.tensor(start))
    adamw = torch.optim.AdamW([theirs], lr=1e-2, weight_decay=0.1)
    for gradient in gradients:
        updates, state = optimizer.update(jnp.asarray(gradient), state, params)
        params = params + updates
        theirs.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_([theirs], 1.0)
        adamw.step()
        np.testing.assert_allclose(params, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


# Powers of 1.05: two losses are equal or differ by far more than the threshold, so rounding decides nothing.
@given(
    exponents=st.lists(st.integers(-40, 0), min_size=1, max_size=40),
    patience=st.integers(1, 6),
    factor=st.sampled_from([0.1, 0.3, 0.5, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_plateau_follows_reduce_lr_on_plateau_epoch_for_epoch(exponents, patience, factor):
    plateau = make_plateau(factor=factor, patience=patience, min_scale=0.01)
    update = jax.jit(lambda state, value: plateau.update({}, state, value=value)[1])
    state = plateau.init(jnp.zeros(1))
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, factor=factor, patience=patience - 1, min_lr=0.01, eps=0)
    for exponent in exponents:
        state = update(state, jnp.float32(1.05**exponent))
        theirs.step(1.05**exponent)
        np.testing.assert_allclose(state.scale, sgd.param_groups[0]["lr"], rtol=1e-5)
