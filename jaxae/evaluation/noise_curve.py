"""How well a run denoises at every noise level, next to rivals, and under unseen kinds of noise."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter

from jaxae.core.corruption import add_gaussian_noise, mask_pixels, poisson_noise, salt_and_pepper
from jaxae.core.images import to_unit
from jaxae.core.rng import Stream, derive, root_key
from jaxae.data.dataset import REFERENCES, Dataset, sample
from jaxae.errors import InputError, Report, silent
from jaxae.evaluation.baselines import Denoise, fit_affine, fit_rivals, moments
from jaxae.evaluation.metrics import break_even, psnr, ssim
from jaxae.evaluation.records import Curve, NoiseCurve, UnseenNoise, check_run_and_data, provenance
from jaxae.inference import Run, corrupt, noise_keys, reconstruct
from jaxae.switches import usual_switches

LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MATCHED = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
"""The levels of Gaussian noise that other kinds of noise are matched to."""


class Corruption(NamedTuple):
    """A kind of noise that the model was not trained on."""

    apply: Callable[[jax.Array, np.ndarray, float], Any]
    """From keys[N], images f32[N, H, W, C] and a strength to noisy images."""
    greatest: float
    """The greatest strength."""


def _salt_and_pepper(keys: jax.Array, images: np.ndarray, fraction: float) -> jax.Array:
    return jax.vmap(lambda key, image: salt_and_pepper(key, image, fraction=fraction))(keys, images)


def _mask(keys: jax.Array, images: np.ndarray, fraction: float) -> jax.Array:
    return jax.vmap(lambda key, image: mask_pixels(key, image, fraction=fraction))(keys, images)


def _poisson(keys: jax.Array, images: np.ndarray, darkness: float) -> jax.Array:
    """darkness: one over the mean number of photons of a white pixel."""
    return jax.vmap(lambda key, image: poisson_noise(key, image, photons=1 / darkness))(
        keys, images
    )


def _blur(keys: jax.Array, images: np.ndarray, pixels: float) -> np.ndarray:
    return np.asarray(gaussian_filter(images, (0, pixels, pixels, 0)))


UNSEEN = {
    "salt and pepper": Corruption(_salt_and_pepper, greatest=1.0),
    "masking": Corruption(_mask, greatest=1.0),
    "Poisson": Corruption(_poisson, greatest=10.0),
    "blur": Corruption(_blur, greatest=20.0),
}


@usual_switches()
def measure_noise_curve(
    run: Run, dataset: Dataset, *, images: int = 1000, draws: int = 5, report: Report = silent
) -> NoiseCurve:
    """Return MSE, PSNR and SSIM by level and draw for the model and its rivals, and unseen noise.

    images: how many test images to take, drawn at random. Rivals are fitted on up to REFERENCES
    training images. Raises InputError.
    """
    check_run_and_data(run, dataset)
    if images < 1 or draws < 1:
        raise InputError(f"images is {images} and draws is {draws}: give 1 or more of each")

    chosen = sample(len(dataset.test.images), images)
    clean = to_unit(dataset.test.images[chosen])
    train = to_unit(dataset.train.at_most(REFERENCES).images)
    pca = fit_affine(moments(train, train), rank=2)

    measured: dict[str, list[Curve]] = {}
    for number, std in enumerate(LEVELS):
        report(f"noise {std:.2f}: {number + 1} of {len(LEVELS)} levels")
        key = derive(root_key(0), Stream.RIVALS, number)
        noisy_train = np.asarray(add_gaussian_noise(key, jnp.asarray(train), std=std))
        methods: dict[str, Denoise] = {"ours": lambda noisy: reconstruct(run, noisy)}
        methods |= fit_rivals(noisy_train, train, pca=pca)

        noisy = [corrupt(clean, std=std, draw=draw, indices=chosen) for draw in range(draws)]
        for name, denoise in methods.items():
            measured.setdefault(name, []).append(_measure(denoise, noisy, clean))

    curves = {name: _join(levels) for name, levels in measured.items()}
    ours = curves.pop("ours")

    report(f"unseen noise: {', '.join(UNSEEN)}")
    unseen = {"Gaussian": _gaussian(run, clean, chosen, draws)}
    unseen |= {kind: _unseen(run, clean, chosen, kind, draws) for kind in UNSEEN}

    return NoiseCurve(
        about=provenance(run, dataset, split=f"test, {len(chosen)} images drawn at random"),
        images=len(chosen),
        draws=draws,
        trained_noise=run.config.noise_range or (run.config.noise_factor, run.config.noise_factor),
        levels=LEVELS,
        ours=ours,
        rivals=curves,
        break_even=break_even(
            LEVELS,
            np.mean(ours.mse, axis=1),
            np.mean(curves["identity"].mse, axis=1),
        ),
        unseen=unseen,
    )


def matched_strength(keys: jax.Array, images: np.ndarray, kind: str, *, mse: float) -> float | None:
    """Return the strength at which this kind of noise has this MSE, by bisection.

    None if it has less at its greatest strength.
    """
    corruption = UNSEEN[kind]

    def damage(strength: float) -> float:
        return _mse(np.asarray(corruption.apply(keys, images, strength)), images)

    low = 0.0
    high = corruption.greatest
    if damage(high) < mse:
        return None

    for _ in range(20):
        middle = (low + high) / 2
        if damage(middle) < mse:
            low = middle
        else:
            high = middle

    return high


@usual_switches()
def unseen_examples(
    run: Run, dataset: Dataset, *, std: float = 0.25
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the first test image with each kind of noise, and denoised: f32[H, W, C] each.

    Every kind does the damage of Gaussian noise of this standard deviation.
    """
    clean = to_unit(dataset.test.images[:1])
    noisy = {"Gaussian": corrupt(clean, std=std)}
    target = _mse(noisy["Gaussian"], clean)

    for kind, corruption in UNSEEN.items():
        keys = _keys(kind, 0, np.arange(1))
        strength = matched_strength(keys, clean, kind, mse=target)
        if strength is not None:
            noisy[kind] = np.asarray(corruption.apply(keys, clean, strength), np.float32)

    return {kind: (image[0], reconstruct(run, image)[0]) for kind, image in noisy.items()}


def _measure(denoise: Denoise, draws: list[np.ndarray], clean: np.ndarray) -> Curve:
    """Return a curve of one level: a value a draw."""

    def errors(noisy: np.ndarray) -> tuple[float, float]:
        output = denoise(noisy)
        return _mse(output, clean), float(ssim(output, clean).mean())

    with ThreadPoolExecutor(2) as pool:
        measured = list(pool.map(errors, draws))

    squares = tuple(mse for mse, _ in measured)
    decibels = psnr(np.array(squares))

    return Curve(
        mse=(squares,),
        psnr=(tuple(float(value) if np.isfinite(value) else None for value in decibels),),
        ssim=(tuple(similarity for _, similarity in measured),),
    )


def _join(levels: list[Curve]) -> Curve:
    """Return one curve from those of single levels."""
    return Curve(
        mse=tuple(each.mse[0] for each in levels),
        psnr=tuple(each.psnr[0] for each in levels),
        ssim=tuple(each.ssim[0] for each in levels),
    )


def _gaussian(
    run: Run, clean: np.ndarray, indices: np.ndarray, draws: int
) -> tuple[UnseenNoise, ...]:
    points = []
    for std in MATCHED:
        noisy = [corrupt(clean, std=std, draw=draw, indices=indices) for draw in range(draws)]
        points.append(_point(run, clean, noisy, matches_std=std, strength=std))

    return tuple(points)


def _unseen(
    run: Run, clean: np.ndarray, indices: np.ndarray, kind: str, draws: int
) -> tuple[UnseenNoise, ...]:
    keys = [_keys(kind, draw, indices) for draw in range(draws)]
    points = []
    for std in MATCHED:
        target = _mse(corrupt(clean, std=std, indices=indices), clean)
        strength = matched_strength(keys[0], clean, kind, mse=target)
        if strength is not None:
            apply = UNSEEN[kind].apply
            noisy = [np.asarray(apply(key, clean, strength), np.float32) for key in keys]
            points.append(_point(run, clean, noisy, matches_std=std, strength=strength))

    return tuple(points)


def _point(
    run: Run, clean: np.ndarray, draws: list[np.ndarray], *, matches_std: float, strength: float
) -> UnseenNoise:
    return UnseenNoise(
        matches_std=matches_std,
        strength=strength,
        input_mse=tuple(_mse(noisy, clean) for noisy in draws),
        output_mse=tuple(_mse(reconstruct(run, noisy), clean) for noisy in draws),
    )


def _keys(kind: str, draw: int, indices: np.ndarray) -> jax.Array:
    return noise_keys(Stream.UNSEEN_NOISE, draw * len(UNSEEN) + list(UNSEEN).index(kind), indices)


def _mse(output: np.ndarray, clean: np.ndarray) -> float:
    return float(np.square(output - clean).mean(dtype=np.float64))
