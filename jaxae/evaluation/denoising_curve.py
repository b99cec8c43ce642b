"""How well a run denoises at every noise level, beside its rivals, and under noise that it has never seen."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter

from jaxae.core.corruption import add_gaussian_noise, mask_pixels, poisson_noise, salt_and_pepper
from jaxae.core.images import to_unit
from jaxae.core.rng import Stream, derive, root_key
from jaxae.data.dataset import REFERENCES, Dataset, check_data
from jaxae.errors import InputError, Report, silent
from jaxae.evaluation.baselines import fit_affine, fit_rivals, moments
from jaxae.evaluation.metrics import psnr, ssim
from jaxae.evaluation.reconstruction import header
from jaxae.inference import Run, corrupt, noise_keys, reconstruct

LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MATCHED = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
Corruption = Callable[[jax.Array, np.ndarray, float], Any]
UNSEEN: dict[str, tuple[Corruption, float]] = {
    "salt and pepper": (
        jax.vmap(
            lambda key, image, s: salt_and_pepper(key, image, fraction=s), in_axes=(0, 0, None)
        ),
        1.0,
    ),
    "masking": (
        jax.vmap(lambda key, image, s: mask_pixels(key, image, fraction=s), in_axes=(0, 0, None)),
        1.0,
    ),
    "Poisson": (
        jax.vmap(
            lambda key, image, s: poisson_noise(key, image, photons=1 / s), in_axes=(0, 0, None)
        ),
        10.0,
    ),
    "blur": (lambda keys, images, s: gaussian_filter(images, (0, s, s, 0)), 20.0),
}
"""Each kind's corruption(keys[N], images f32[N, H, W, C], strength), and its greatest strength: a fraction, seconds a photon,
pixels."""


def denoising_curve(
    run: Run, dataset: Dataset, *, images: int = 1000, draws: int = 5, report: Report = silent
) -> dict[str, Any]:
    """The contents of noise_curve.json: MSE, PSNR and SSIM by level and draw for the model and its rivals; and unseen noise.

    images: how many of the first test images; rivals are fitted on up to REFERENCES training images. Raises InputError.
    """
    check_data(run.config, dataset, trained_on=run.data_sha256)
    if images < 1 or draws < 1:
        raise InputError(f"images is {images} and draws is {draws}: give 1 or more of each")
    clean = to_unit(dataset.test.images[:images])
    train = to_unit(dataset.train.at_most(REFERENCES).images)
    pca = fit_affine(moments(train, train), rank=2)
    rows: dict[str, dict[str, list[list[float]]]] = {}
    for number, std in enumerate(LEVELS):
        report(f"noise {std:.2f}: {number + 1} of {len(LEVELS)} levels")
        key = derive(root_key(0), Stream.RIVALS, number)
        rivals = fit_rivals(
            np.asarray(add_gaussian_noise(key, jnp.asarray(train), std=std)), train, pca=pca
        )
        methods = {"jaxae": lambda noisy: reconstruct(run, noisy), **rivals}
        noisy_draws = [corrupt(clean, std=std, draw=draw) for draw in range(draws)]
        for name, denoise in methods.items():
            for metric, values in _measure(denoise, noisy_draws, clean).items():
                rows.setdefault(name, {}).setdefault(metric, []).append(values)
    report(f"unseen noise: {', '.join(UNSEEN)}")
    return {
        **header(run, dataset, f"test, the first {len(clean)} images"),
        "draws": draws,
        "trained_noise": run.config.noise_range or [run.config.noise_factor] * 2,
        "levels": list(LEVELS),
        "rows": rows,
        "break_even": break_even(
            LEVELS, *(np.mean(rows[name]["mse"], axis=1) for name in ("jaxae", "do nothing"))
        ),
        "unseen": {
            "Gaussian": [
                {
                    "std": std,
                    **_pair(run, clean, [corrupt(clean, std=std, draw=d) for d in range(draws)]),
                }
                for std in MATCHED
            ],
            **{kind: _unseen(run, clean, kind, draws) for kind in UNSEEN},
        },
    }


def break_even(levels: Any, ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """The least level from which on our error is below theirs, by linear interpolation; None if it never is at the end."""
    above = np.flatnonzero(ours >= theirs)
    if not len(above):
        return float(levels[0])
    i = above[-1]
    if i + 1 == len(levels):
        return None
    gap = ours[i : i + 2] - theirs[i : i + 2]
    return float(levels[i] + (levels[i + 1] - levels[i]) * gap[0] / (gap[0] - gap[1]))


def matched_strength(keys: jax.Array, images: np.ndarray, kind: str, *, mse: float) -> float | None:
    """The strength at which this kind of noise does this much damage, by bisection; None where it never does so much."""
    corruption, greatest = UNSEEN[kind]

    def damage(strength: float) -> float:
        return float(
            np.square(np.asarray(corruption(keys, images, strength)) - images).mean(
                dtype=np.float64
            )
        )

    low, high = 0.0, greatest
    if damage(high) < mse:
        return None
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if damage(middle) < mse else (low, middle)
    return high


def _measure(
    denoise: Callable[[np.ndarray], np.ndarray], draws: list[np.ndarray], clean: np.ndarray
) -> dict[str, list[Any]]:
    def measure(noisy: np.ndarray) -> tuple[float, float]:
        output = denoise(noisy)
        return _mse(output, clean), float(ssim(output, clean).mean())

    with ThreadPoolExecutor(2) as pool:
        errors, similarities = zip(*pool.map(measure, draws), strict=True)
    decibels = [float(value) if np.isfinite(value) else None for value in psnr(np.array(errors))]
    return {"mse": list(errors), "psnr_db": decibels, "ssim": list(similarities)}


def _unseen(run: Run, clean: np.ndarray, kind: str, draws: int) -> list[dict[str, Any]]:
    keys = [_keys(kind, draw, len(clean)) for draw in range(draws)]
    points = []
    for std in MATCHED:
        target = _mse(corrupt(clean, std=std), clean)
        strength = matched_strength(keys[0], clean, kind, mse=target)
        if strength is not None:
            noisy = [np.asarray(UNSEEN[kind][0](key, clean, strength), np.float32) for key in keys]
            points.append({"matches_std": std, "strength": strength, **_pair(run, clean, noisy)})
    return points


def _keys(kind: str, draw: int, count: int) -> jax.Array:
    return noise_keys(
        Stream.UNSEEN_NOISE, draw * len(UNSEEN) + list(UNSEEN).index(kind), np.arange(count)
    )


def _pair(run: Run, clean: np.ndarray, draws: list[np.ndarray]) -> dict[str, list[float]]:
    return {
        "input_mse": [_mse(noisy, clean) for noisy in draws],
        "output_mse": [_mse(reconstruct(run, noisy), clean) for noisy in draws],
    }


def _mse(output: np.ndarray, clean: np.ndarray) -> float:
    return float(np.square(output - clean).mean(dtype=np.float64))


def unseen_examples(
    run: Run, dataset: Dataset, *, std: float = 0.25
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The first test image under each kind of noise at the damage of Gaussian noise, and denoised: f32[H, W, C] both."""
    clean = to_unit(dataset.test.images[:1])
    pairs = {"Gaussian": corrupt(clean, std=std)}
    for kind, (corruption, _) in UNSEEN.items():
        keys = _keys(kind, 0, 1)
        strength = matched_strength(keys, clean, kind, mse=_mse(pairs["Gaussian"], clean))
        if strength is not None:
            pairs[kind] = np.asarray(corruption(keys, clean, strength), np.float32)
    return {kind: (noisy[0], reconstruct(run, noisy)[0]) for kind, noisy in pairs.items()}
