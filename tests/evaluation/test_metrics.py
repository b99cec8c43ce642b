import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from jaxae.core.objective import mae, mse
from jaxae.evaluation import metrics
from jaxae.evaluation.metrics import break_even, psnr, ssim


@pytest.fixture(params=["random", "alike", "black and white", "checkerboard"])
def pairs(request) -> tuple[np.ndarray, np.ndarray]:
    """Seven pairs of images: usual ones and extremes."""
    rng = np.random.default_rng(0)
    target = rng.random((7, 28, 28, 1)).astype(np.float32)
    output = {
        "random": rng.random((7, 28, 28, 1)).astype(np.float32),
        "alike": np.clip(target + rng.normal(0, 0.01, target.shape), 0, 1).astype(np.float32),
        "black and white": np.ones_like(target),
        "checkerboard": np.broadcast_to(np.indices((28, 28, 1)).sum(0) % 2, target.shape).astype(
            np.float32
        ),
    }[request.param]
    return output, np.zeros_like(target) if request.param == "black and white" else target


def test_mse_mae_psnr_per_image_against_scikit_image(pairs):
    output, target = (images.astype(np.float64) for images in pairs)
    each = list(zip(output, target, strict=True))
    np.testing.assert_allclose(mse(*pairs), [mean_squared_error(t, o) for o, t in each], rtol=1e-5)
    np.testing.assert_allclose(mae(*pairs), np.abs(output - target).mean((1, 2, 3)), rtol=1e-5)
    expected = [peak_signal_noise_ratio(t, o, data_range=1) for o, t in each]
    np.testing.assert_allclose(psnr(mse(*pairs)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("values", [1, 3 * 784, metrics.STACK_VALUES])
def test_ssim_of_a_batch_is_scikit_images_of_each_image(pairs, values, monkeypatch):
    """No window of one image sees the next in a stack; in float64, so equal up to rounding."""
    monkeypatch.setattr(metrics, "STACK_VALUES", values)
    expected = [
        structural_similarity(
            o.astype(np.float64),
            t.astype(np.float64),
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for o, t in zip(*pairs, strict=True)
    ]
    np.testing.assert_allclose(ssim(*pairs), expected, rtol=1e-12, atol=1e-14)


def test_identical_images():
    images = np.random.default_rng(1).random((3, 28, 28, 1)).astype(np.float32)
    assert (np.asarray(psnr(mse(images, images))) == np.inf).all()
    np.testing.assert_allclose(ssim(images, images), 1, rtol=1e-12)


def test_break_even_is_where_two_lines_cross():
    levels = [0.0, 0.1, 0.2, 0.3]
    assert break_even(levels, np.array([4, 4, 4, 4]), np.array([0, 2, 6, 9])) == pytest.approx(0.15)
    assert break_even(levels, np.array([4, 4, 4, 4]), np.array([5, 6, 7, 8])) == 0
    assert break_even(levels, np.array([4, 4, 4, 4]), np.array([0, 1, 2, 3])) is None
