"""Weights of the explorer's page: what rounding does to pixels and to places, against NumPy."""

import base64
import zlib

import numpy as np
import pytest

from jaxae.export import page_weights
from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel, fold_batch_norm
from jaxae.export.page_weights import as_texts, pack
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics


@pytest.fixture(scope="module")
def folded() -> FoldedModel:
    return fold_batch_norm(run_with_statistics(widths=(128, 8)))


def places(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (500, 2)).astype(np.float32)


def layers(packed: tuple[page_weights.PackedLayer, ...]) -> tuple[DenseLayer, ...]:
    return tuple(each.layer for each in packed)


def test_a_small_network_is_in_half_precision(folded):
    packed = pack(folded, places(0))
    assert [each.precision for each in packed.decoder] == ["f32", "f32", "f16"]
    assert as_texts(packed.encoder).keys() == {"i8", "f16", "f32"}


def test_a_large_network_takes_a_byte_a_weight_and_moves_pixels_by_less_than_one_of_255(
    folded, monkeypatch
):
    monkeypatch.setattr(page_weights, "MOST_HALVES", 0)
    monkeypatch.setattr(page_weights, "LARGE", page_weights.NARROW)
    packed = pack(folded, places(0))
    assert [each.precision for each in packed.encoder] == ["i8", "f32", "f32"]
    assert [each.precision for each in packed.decoder] == ["f32", "f32", "i8"]

    latents = places(1)  # not those that the weights were fitted at
    exact = apply_layers(folded.decoder, latents)
    errors = np.abs(apply_layers(layers(packed.decoder), latents) - exact)
    assert errors.max() < 1 / 255

    last = folded.decoder[-1]
    plain = page_weights._whole(last, page_weights.DECODER_LEVELS).layer
    rounded = np.abs(apply_layers((*folded.decoder[:-1], plain), latents) - exact)
    assert errors.mean() < rounded.mean() / 3

    images = np.random.default_rng(2).random((200, 784))
    exact = apply_layers(folded.encoder, images)
    moved = apply_layers(layers(packed.encoder), images) - exact
    # A trained network on photographs has 0.004; this one, and its images, are noise.
    assert np.sqrt(np.square(moved).mean()) < 0.3 * exact.std()

    bytes_of = {name: base64.b64decode(text) for name, text in as_texts(packed.decoder).items()}
    assert len(zlib.decompress(bytes_of["i8"])) == last.kernel.size
    assert len(bytes_of["i8"]) < last.kernel.size
    assert bytes_of["f16"] == b""
