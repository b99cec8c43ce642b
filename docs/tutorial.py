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
# Ten minutes through the pure functions that `jaxae train` is made of: noise, one step by hand, an epoch, five epochs, the map
# of the latent plane, and a loss of your own. Run it from the top: `python docs/tutorial.py`, or cell by cell in an editor that
# knows `# %%`. `docs/tutorial.ipynb` is generated from this file by `make notebook`.

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

# %% [markdown]
# ## The data
#
# Three splits of uint8 images and their labels. Without the files of Fashion-MNIST and without a network this says so, and
# draws SYNTHETIC garments in their place.

# %%
dataset = jaxae.load_dataset(report=print)
print(
    dataset.title, dataset.train.images.shape, dataset.train.images.dtype, dataset.class_names[:3]
)

# %% [markdown]
# ## Noise
#
# Randomness comes from keys, and a key is used once. The network sees `clip(x + 0.25 · N(0, 1), 0, 1)`; the target stays clean.

# %%
clean = to_unit(jnp.asarray(dataset.test.images[:8]))
noisy = add_gaussian_noise(jax.random.key(1), clean, std=0.25)
print("the noise alone costs an MSE of", mse(noisy, clean).mean())

# %% [markdown]
# ## One step by hand
#
# A recipe says what to build. Its parts hold no arrays; the state holds nothing else. The step is a function from a state and a
# batch to the next state and the loss, so calling it changes nothing: the old state is still there.

# %%
recipe = jaxae.Config(
    dataset=dataset.name, epochs=5, average_decay=0.0
)  # the weights themselves: no average of them
parts, state = build_parts(recipe), first_state(recipe)
options = StepOptions(parts.model, parts.optimizer, recipe.noise_factor)
step = jax.jit(functools.partial(train_step, options=options))

batch = jnp.asarray(dataset.train.images[:128])
after, loss = step(state, batch)
again, same = step(state, batch)
print(
    f"loss {loss:.4f}; step {state.step} → {after.step}; the same state and batch give the same loss: {loss == same}"
)

# %% [markdown]
# ## An epoch
#
# An epoch is a scan of that step over the images in an order that comes from the state's key and epoch.

# %%
epoch = jax.jit(functools.partial(train_epoch, batch_size=128, options=options))
state, losses = epoch(state, jnp.asarray(dataset.train.images))
print(f"{len(losses)} steps, loss {losses[0]:.3f} → {losses[-1]:.3f}")

# %% [markdown]
# ## Five epochs
#
# `jaxae.fit` does the rest: batch statistics, validation, the learning rate, checkpoints. With a `run_dir` it can be
# interrupted and goes on when it is called again; it returns the epoch of lowest validation loss.

# %%
run_dir = Path(tempfile.mkdtemp()) / "run"
run = jaxae.fit(
    recipe,
    dataset,
    run_dir=run_dir,
    report=lambda line: print(line) if line.startswith("epoch") else None,
)

# %% [markdown]
# ## Denoise
#
# The noise of a test image is a function of its index: every table and figure sees the same.

# %%
images = dataset.test.images[:8]
noisy = jaxae.corrupt(images, std=0.25)
denoised = jaxae.reconstruct(run, noisy)
print(
    "MSE, noisy and denoised:",
    mse(noisy, to_unit(images)).mean(),
    mse(denoised, to_unit(images)).mean(),
)
jaxae.plots.reconstructions(run, dataset)

# %% [markdown]
# ## The map
#
# The encoder gives each image two numbers, and that is all that the decoder gets. Five epochs are few; the map of a full
# training is in `docs/released/figures`.

# %%
print("latents", jaxae.encode(run, images).shape)
jaxae.plots.latent_space(run, dataset)

# %% [markdown]
# ## Restore
#
# A run directory is all there is to know about a run. Loading checks the SHA-256 of every array.

# %%
restored = jaxae.load(next(run_dir.parent.iterdir()))
print(
    "the same bits:",
    jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), restored.variables, run.variables)),
)

# %% [markdown]
# ## A loss of your own
#
# Nothing needs to be subclassed. Compose the same functions around another loss: here the Charbonnier loss √(e² + ε²), which is
# L1 with a round bottom.


# %%
def charbonnier_step(state, images):
    """train_step with another loss: u8[B, H, W, C] → the next state, f32[]."""
    clean = to_unit(images)
    noisy = add_training_noise(state.key, Stream.NOISE, state.step, clean, recipe.noise_factor)
    rngs = {"dropout": derive(state.key, Stream.DROPOUT, state.step)}

    def loss(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        output, new = parts.model.apply(
            variables, noisy, train=True, rngs=rngs, mutable=["batch_stats"]
        )
        return jnp.mean(jnp.sqrt(jnp.square(output - clean) + 1e-6)), new["batch_stats"]

    (value, batch_stats), gradients = jax.value_and_grad(loss, has_aux=True)(state.params)
    updates, opt_state = parts.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(
        step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state
    ), value


batches = jnp.asarray(dataset.train.images[: 40 * 128]).reshape(40, 128, *dataset.image_shape)
mine, values = jax.jit(lambda state, batches: jax.lax.scan(charbonnier_step, state, batches))(
    first_state(recipe), batches
)
print(f"Charbonnier loss {values[0]:.3f} → {values[-1]:.3f} in {mine.step} steps")
output = parts.model.apply(model_variables(mine), add_gaussian_noise(root_key(2), clean, std=0.25))
print(f"MSE on eight test images after these steps: {mse(output, clean).mean():.4f}")
