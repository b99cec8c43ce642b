"""Draw the SYNTHETIC garments: silhouettes of ten classes, for tests and demos.

Garments are unions of convex quadrilaterals, with dark details on top. Each image jitters the
corners, places, shears, shades and stripes its garment. The key's uniform draws and NumPy's +, -,
×, ÷ and √ give the same bits on every machine.
"""

from typing import NamedTuple

import jax
import numpy as np

CLASS_NAMES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Of Fashion-MNIST's labels, and of the garments below."""
Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


def _box(left: float, top: float, right: float, bottom: float) -> Quad:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _pair(*quad: tuple[float, float]) -> tuple[Quad, Quad]:
    """Return a quadrilateral and its mirror image: sleeves, legs."""
    a, b, c, d = quad
    return (a, b, c, d), ((-a[0], a[1]), (-b[0], b[1]), (-c[0], c[1]), (-d[0], d[1]))


_SHORT_SLEEVES = _pair((-0.38, -0.75), (-0.38, -0.3), (-0.68, -0.1), (-0.85, -0.35))
_LONG_SLEEVES = _pair((-0.38, -0.75), (-0.38, -0.3), (-0.68, 0.7), (-0.88, 0.65))

_MID_SLEEVES = _pair((-0.38, -0.75), (-0.38, -0.35), (-0.7, 0.2), (-0.88, 0.1))
_LEGS = _pair((-0.36, -0.6), (-0.02, -0.6), (-0.08, 0.9), (-0.34, 0.9))
_COLLAR = _pair((-0.02, -0.8), (-0.22, -0.8), (-0.2, -0.7), (-0.02, -0.55))


class Garment(NamedTuple):
    """A class's quadrilaterals, (x, y) in [-1, 1]² with y downwards; eight at the most."""

    bright: tuple[Quad, ...]
    dark: tuple[Quad, ...] = ()


# In the order of CLASS_NAMES.
GARMENTS = (
    Garment(
        (_box(-0.4, -0.75, 0.4, 0.8), *_SHORT_SLEEVES),
        (((-0.18, -0.8), (0.18, -0.8), (0.1, -0.62), (-0.1, -0.62)),),
    ),
    Garment((_box(-0.36, -0.88, 0.36, -0.5), *_LEGS)),
    Garment((_box(-0.42, -0.75, 0.42, 0.8), *_LONG_SLEEVES)),
    Garment(
        (_box(-0.2, -0.88, 0.2, -0.2), ((-0.18, -0.25), (0.18, -0.25), (0.42, 0.9), (-0.42, 0.9)))
    ),
    Garment((_box(-0.45, -0.8, 0.45, 0.92), *_LONG_SLEEVES), (_box(-0.05, -0.8, 0.05, 0.92),)),
    Garment(
        (
            ((-0.9, 0.35), (0.9, 0.4), (0.9, 0.52), (-0.9, 0.58)),
            ((0.2, -0.05), (0.42, -0.1), (0.75, 0.4), (0.45, 0.4)),
            ((-0.85, -0.3), (-0.68, -0.3), (-0.6, 0.4), (-0.9, 0.4)),
            _box(-0.7, -0.02, 0.3, 0.1),
        )
    ),
    Garment(
        (_box(-0.38, -0.75, 0.38, 0.85), *_MID_SLEEVES), (_box(-0.03, -0.7, 0.03, 0.85), *_COLLAR)
    ),
    Garment(
        (((-0.85, -0.1), (-0.2, -0.2), (0.9, 0.3), (-0.9, 0.4)), _box(-0.9, 0.28, 0.92, 0.48)),
        (_box(-0.9, 0.4, 0.92, 0.44),),
    ),
    Garment(
        (_box(-0.8, -0.2, 0.8, 0.75), ((-0.35, -0.75), (0.35, -0.75), (0.5, -0.15), (-0.5, -0.15))),
        (((-0.24, -0.6), (0.24, -0.6), (0.34, -0.22), (-0.34, -0.22)), _box(-0.8, 0.05, 0.8, 0.12)),
    ),
    Garment(
        (
            _box(-0.7, -0.8, -0.02, 0.3),
            ((-0.72, 0.05), (0.1, 0.0), (0.88, 0.42), (-0.72, 0.6)),
            _box(-0.75, 0.45, 0.9, 0.65),
        )
    ),
)


def synthetic_arrays(
    key: jax.Array, *, train: int = 6000, test: int = 1000
) -> dict[str, np.ndarray]:
    """Return {train,test}_images u8[N, 28, 28] and {train,test}_labels u8[N].

    The classes have equal numbers of images, and take turns.
    """
    uniform = np.asarray(jax.random.uniform(key, (train + test, 12 + 64)), np.float64)
    labels = (np.arange(train + test) % 10).astype(np.uint8)
    images = np.zeros((train + test, 28, 28), np.uint8)
    for label, garment in enumerate(GARMENTS):
        images[labels == label] = _draw(garment, uniform[labels == label])
    return {
        "train_images": images[:train],
        "train_labels": labels[:train],
        "test_images": images[train:],
        "test_labels": labels[train:],
    }


def _draw(garment: Garment, uniform: np.ndarray) -> np.ndarray:
    """Return u8[n, 28, 28] of one garment.

    uniform: f64[n, 76] in [0, 1): 12 numbers for the whole, 64 for the corners of eight quads.
    """
    whole = uniform[:, :12, None, None]
    corners = uniform[:, 12:].reshape(-1, 8, 4, 2)

    def between(i: int, low: float, high: float) -> np.ndarray:
        return low + (high - low) * whole[:, i]

    grid = (np.arange(28) + 0.5) / 14 - 1
    y = (grid[:, None] - between(0, -0.08, 0.08)) / between(1, 0.82, 1.0)
    x = (grid[None, :] - between(2, -0.08, 0.08)) / between(3, 0.75, 1.0)
    x = x + between(4, -0.12, 0.12) * y

    coverage = [
        _coverage(np.array(quad) + 0.08 * (corners[:, i] - 0.5), x, y)
        for i, quad in enumerate(garment.bright + garment.dark)
    ]
    shade = between(5, 0.45, 1.0) + between(6, -0.2, 0.2) * x + between(7, -0.15, 0.15) * y
    stripes = (y * between(8, 3.0, 7.0)) % 1.0 < 0.5
    shade = shade * np.where(stripes & (whole[:, 9] < 0.3), 0.7, 1.0)

    image = np.maximum.reduce(coverage[: len(garment.bright)]) * shade
    for detail in coverage[len(garment.bright) :]:
        image = image * (1 - between(10, 0.5, 0.9) * detail)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def _coverage(quad: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the share of each pixel inside a convex quadrilateral, f64[n, 28, 28].

    It follows from the signed distance of the pixel's middle. quad: f64[n, 4, 2].
    """
    px, py = quad[..., 0], quad[..., 1]
    ex = np.roll(px, -1, axis=1) - px
    ey = np.roll(py, -1, axis=1) - py
    area = (px * np.roll(py, -1, axis=1) - py * np.roll(px, -1, axis=1)).sum(axis=1, keepdims=True)
    scale = np.sign(area) / np.sqrt(ex * ex + ey * ey)
    edges = zip(*(v.T[:, :, None, None] for v in (px, py, ex, ey, scale)), strict=True)
    inside = [((y - qy) * dx - (x - qx) * dy) * s for qx, qy, dx, dy, s in edges]
    return np.clip(0.5 + 14 * np.minimum.reduce(inside), 0, 1)
