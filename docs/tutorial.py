# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # jaxae from the inside
#
# Ten minutes through the pure functions that `jaxae train` is made of: noise, one step by hand, an
# epoch, five epochs, the map of the latent plane, and a loss of your own. Run it from the top with
# `python docs/tutorial.py`, or cell by cell in an editor that knows `# %%`. `make notebook` writes
# `docs/tutorial.ipynb` from this file.

# %%
import functools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import optax

import jaxae
from jaxae.build import build_parts, first_state
from jaxae.core.corruption import add_gaussian_noise, add_training_noise
from jaxae.core.images import to_unit
from jaxae.core.objective import mse
from jaxae.core.rng import Stream, derive, root_key
from jaxae.core.state import model_variables
from jaxae.core.step import StepOptions, train_epoch, train_step
from jaxae.train.progress import Epoch

# %% [markdown]
# ## The data
#
# Three splits of uint8 images and their labels. If Fashion-MNIST cannot be had, this says so and
# draws SYNTHETIC garments instead.

# %%
dataset = jaxae.load_dataset(report=print)
print(dataset.title, dataset.train.images.shape, dataset.train.images.dtype)
print(dataset.class_names[:3])

# %% [markdown]
# ## Noise
#
# Random numbers come from keys, and each key is used once. The network sees
# `clip(x + 0.25 · N(0, 1), 0, 1)`; the target stays clean.

# %%
clean = to_unit(jnp.asarray(dataset.test.images[:8]))
noisy = add_gaussian_noise(jax.random.key(1), clean, std=0.25)
print(f"MSE of the noisy images: {mse(noisy, clean).mean():.4f}")

# %% [markdown]
# ## One step by hand
#
# A recipe says what to build. Its parts, such as the model and the optimiser, hold no arrays; the
# state is a tree of arrays. A step is a function from a state and a batch to the next state and the
# loss. Calling it changes nothing: the old state is still there.

# %%
# average_decay=0: evaluate the weights themselves, not their moving average.
recipe = jaxae.Config(dataset=dataset.name, epochs=5, average_decay=0.0)
parts = build_parts(recipe)
state = first_state(recipe)
options = StepOptions(parts.model, parts.optimizer, recipe.noise_factor)
step = jax.jit(functools.partial(train_step, options=options))

batch = jnp.asarray(dataset.train.images[:128])
after, loss = step(state, batch)
again, same = step(state, batch)
print(f"loss {loss:.4f}; step {state.step} → {after.step}")
print(f"the same state and batch give the same loss: {loss == same}")

# %% [markdown]
# ## An epoch
#
# An epoch is a scan of that step over the images. Their order comes from the state's key and epoch.

# %%
epoch = jax.jit(functools.partial(train_epoch, batch_size=128, options=options))
state, losses = epoch(state, jnp.asarray(dataset.train.images))
print(f"{len(losses)} steps, loss {losses[0]:.3f} → {losses[-1]:.3f}")

# %% [markdown]
# ## Five epochs
#
# `jaxae.fit` does the rest: batch statistics, validation, the learning rate, checkpoints. With a
# `run_dir` it can be interrupted, and continues when it is called again. It returns the epoch of
# lowest validation loss.

# %%
run_dir = Path(tempfile.mkdtemp()) / "run"
run = jaxae.fit(
    recipe,
    dataset,
    run_dir=run_dir,
    report=lambda told: print(told) if isinstance(told, Epoch) else None,
)

# %% [markdown]
# ## Denoise
#
# The noise of a test image is a function of its index: it is the same in every table and figure.

# %%
images = dataset.test.images[:8]
noisy = jaxae.corrupt(images, std=0.25)
denoised = jaxae.reconstruct(run, noisy)
print(f"MSE, noisy: {mse(noisy, to_unit(images)).mean():.4f}")
print(f"MSE, denoised: {mse(denoised, to_unit(images)).mean():.4f}")
jaxae.plots.reconstructions(run, dataset)

# %% [markdown]
# ## The map
#
# The encoder gives each image two numbers, and the decoder gets nothing else. Five epochs are few;
# the map of a full training is in `docs/released/figures`.

# %%
print("latents", jaxae.encode(run, images).shape)
jaxae.plots.latent_space(run, dataset)

# %% [markdown]
# ## Restore
#
# A run directory holds everything about a run. Loading checks the SHA-256 of the arrays.

# %%
(place,) = run_dir.parent.iterdir()  # on SYNTHETIC data its name says so
restored = jaxae.load(place)
same = jax.tree.map(lambda a, b: (a == b).all(), restored.variables, run.variables)
print("the same bits:", jax.tree.all(same))

# %% [markdown]
# ## A loss of your own
#
# There is no class to extend: compose the same functions around another loss. Here it is the
# Charbonnier loss √(e² + ε²), a smooth L1.


# %%
def charbonnier_step(state, images):
    """Update the state on one batch u8[B, H, W, C]. Return it, and the loss f32[]."""
    clean = to_unit(images)
    noisy = add_training_noise(state.key, Stream.NOISE, state.step, clean, recipe.noise_factor)
    dropout_key = derive(state.key, Stream.DROPOUT, state.step)

    def loss(params):
        output, updated = parts.model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            noisy,
            train=True,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
        )
        error = jnp.sqrt(jnp.square(output - clean) + 1e-6)
        return error.mean(), updated["batch_stats"]

    (value, batch_stats), gradients = jax.value_and_grad(loss, has_aux=True)(state.params)
    updates, opt_state = parts.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)

    next_state = state._replace(
        step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state
    )
    return next_state, value


@jax.jit
def charbonnier_steps(state, batches):
    """Scan charbonnier_step over batches u8[S, B, H, W, C]."""
    return jax.lax.scan(charbonnier_step, state, batches)


batches = jnp.asarray(dataset.train.images[: 40 * 128]).reshape(40, 128, *dataset.image_shape)
mine, values = charbonnier_steps(first_state(recipe), batches)
print(f"Charbonnier loss {values[0]:.3f} → {values[-1]:.3f} in {mine.step} steps")

noisy = add_gaussian_noise(root_key(2), clean, std=0.25)
output = parts.model.apply(model_variables(mine), noisy)
print(f"MSE on eight test images after these steps: {mse(output, clean).mean():.4f}")
