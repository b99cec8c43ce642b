import io
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.quiver import Quiver
from skimage.color import rgb2lab

from jaxae.data.dataset import Split, sample_indices
from jaxae.data.synthetic import CLASS_NAMES
from jaxae.figures import denoising_curve, latent_plane, latent_space, samples, seeds, style
from jaxae.figures.map_view import View, robust_view
from jaxae.figures.training_curves import training_curves

RNG = np.random.default_rng(0)
EIGHT = RNG.random((8, 28, 28, 1))
DB = RNG.random(8) * 20


def png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()


def texts(figure) -> str:
    """All that a person can read in a figure."""
    return "\n".join(
        text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
    )


def make(name: str, title: str = "SYNTHETIC"):
    names = CLASS_NAMES[:8]
    if name == "reconstructions":
        return samples.reconstructions(
            EIGHT,
            EIGHT / 2,
            EIGHT / 3,
            names=names,
            noisy_psnr=DB,
            denoised_psnr=DB + 1,
            title=title,
        )
    if name == "error_maps":
        return samples.error_maps(
            EIGHT[:6], EIGHT[:6] / 3, EIGHT[:6] / 2, names=names[:6], title=title
        )
    if name == "noise_robustness":
        stack = np.stack([EIGHT[:4], EIGHT[4:]])
        levels = (0.1, 0.25, 0.4, 0.6)
        psnr = DB.reshape(2, 4)
        return samples.noise_robustness(
            EIGHT[:2],
            stack,
            stack,
            names=names[:2],
            levels=levels,
            noisy_psnr=psnr,
            denoised_psnr=psnr,
            title=title,
        )
    if name == "latent_grid":
        edges = np.linspace(-1, 1, 5), np.linspace(-2, 2, 5)
        return latent_plane.latent_grid(
            SIXTEEN, np.arange(16).reshape(4, 4), edges=edges, title=title
        )
    if name == "noise_drift":
        shares = np.array([0.0, 0.2, 0.7])
        return latent_plane.noise_drift(
            LATENTS[:30],
            {0.25: LATENTS[30:60], 0.6: LATENTS[60:90]},
            np.arange(30) % 10,
            names=CLASS_NAMES,
            grid=SIXTEEN,
            view=View(np.array([-4.0, -4.0]), np.array([4.0, 4.0])),
            levels=(0.0, 0.25, 0.6),
            changed=shares,
            accuracy=0.9 - shares,
            title=title,
        )
    if name == "seed_agreement":
        return seeds.seed_agreement(
            [LATENTS, LATENTS[::-1]],
            np.arange(1000) % 10,
            SHARED,
            members=["seed 0", "seed 1"],
            names=CLASS_NAMES,
            clean=EIGHT[:3],
            denoised=np.stack([EIGHT[:3], EIGHT[3:6]]),
            title=title,
        )
    if name == "noise_curve":
        return denoising_curve.denoising_curve(
            CURVE_LEVELS,
            {"jaxae": METRICS, "do nothing": METRICS},
            {"Gaussian": POINTS, "blur": (POINTS[0][:1], POINTS[1][:1])},
            trained_noise=(0.2, 0.3),
            break_even=0.1875,
            examples={"Gaussian": (EIGHT[0], EIGHT[1])},
            title=title,
        )
    labels = np.arange(1000) % 10
    if name == "training_curves":
        return training_curves(
            [ROWS, [{**row, "train_loss": row["train_loss"] + 0.1} for row in ROWS[:2]]],
            title=title,
        )
    return latent_space.latent_space(LATENTS, labels, names=CLASS_NAMES, title=title)


LATENTS = RNG.normal(size=(1000, 2))
SIXTEEN = RNG.random((4, 4, 28, 28, 1))
SHARED = np.array([[1, 0.25], [0.25, 1]])
ROWS = [
    {"epoch": 1, "train_loss": 0.3, "validation_loss": 0.2, "learning_rate": 1e-3, "best": True},
    {"epoch": 2, "train_loss": 0.2, "validation_loss": 0.15, "learning_rate": 1e-3, "best": True},
    {"epoch": 4, "train_loss": 0.1, "validation_loss": 0.18, "learning_rate": 5e-4, "best": False},
]
METRICS: dict[str, Any] = {
    "mse": [[0.0, 0.0], [0.05, 0.07]],
    "psnr": [[np.nan, np.nan], [13.0, 11.5]],
    "ssim": [[1.0, 1.0], [0.4, 0.3]],
}
METRICS = {name: np.array(values) for name, values in METRICS.items()}
POINTS = np.array([[0.01, 0.02], [0.1, 0.11]]), np.array([[0.03, 0.031], [0.04, 0.05]])
CURVE_LEVELS = [0.0, 0.5]
ALL = [
    "reconstructions",
    "error_maps",
    "noise_robustness",
    "latent_space",
    "latent_grid",
    "noise_drift",
    "noise_curve",
    "seed_agreement",
    "training_curves",
]


def test_reconstructions_show_each_image_in_its_place():
    axes = make("reconstructions").axes
    assert len(axes) == 24
    shown = [np.asarray(ax.images[0].get_array()) for ax in axes]
    for row, images in enumerate([EIGHT, EIGHT / 2, EIGHT / 3]):
        for column in range(8):
            assert (shown[8 * row + column] == images[column, ..., 0]).all()
    text = texts(make("reconstructions"))
    for part in ("clean", "noisy", "denoised", "Sneaker", f"{DB[3]:.1f} dB", f"{DB[3] + 1:.1f} dB"):
        assert part in text
    assert "no better" not in text


def test_reconstructions_no_better_than_their_input_are_marked_and_counted():
    worse = DB + np.where(np.arange(8) < 3, -1, 1)
    names = CLASS_NAMES[:8]
    figure = samples.reconstructions(
        EIGHT, EIGHT, EIGHT, names=names, noisy_psnr=DB, denoised_psnr=worse, title=""
    )
    assert "no better than the noisy image: 3 of 8" in texts(figure)
    marked = [axes.get_xlabel().endswith(samples.WORSE) for axes in figure.axes[16:]]
    assert marked == [True] * 3 + [False] * 5


def test_error_maps_share_one_scale_that_starts_at_zero_and_brighter_is_worse():
    figure = make("error_maps")
    maps = [
        ax.images[0]
        for ax in figure.axes
        if ax.images and ax.images[0].get_cmap().name == "inferno"
    ]
    assert len(maps) == 6
    shown = [np.asarray(ax.images[0].get_array()) for ax in figure.axes[:24]]
    for row, images in enumerate(
        [EIGHT[:6], EIGHT[:6] / 3, EIGHT[:6] / 2, np.abs(EIGHT[:6] / 2 - EIGHT[:6])]
    ):
        for column in range(6):
            assert (shown[6 * row + column] == images[column, ..., 0]).all()
    assert {image.get_clim() for image in maps} == {(0, (EIGHT[:6] / 2).max())}
    luminance = maps[0].get_cmap()(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert "pixels in [0, 1]" in texts(figure)


def test_noise_robustness_has_a_column_a_level_and_names_it():
    figure = make("noise_robustness")
    assert len(figure.axes) == 24
    for part in (
        "noise 0.1",
        "noise 0.25",
        "noise 0.4",
        "noise 0.6",
        "original",
        "T-shirt",
        "Trouser",
    ):
        assert part in texts(figure)


def test_noise_robustness_shows_each_image_and_its_psnr_in_their_places():
    """Two samples at four levels: a column each, of the original, the noisy and the denoised image."""
    noisy, denoised = (RNG.random((2, 4, 28, 28, 1)) for _ in range(2))
    decibels = {
        name: 10 + np.arange(8).reshape(2, 4) + more
        for name, more in (("noisy_psnr", 0), ("denoised_psnr", 0.5))
    }
    levels = (0.1, 0.25, 0.4, 0.6)
    figure = samples.noise_robustness(
        EIGHT[:2], noisy, denoised, names=("a", "b"), levels=levels, title="", **decibels
    )
    for number, (sample, level) in enumerate(np.ndindex(2, 4)):
        column = figure.axes[3 * number : 3 * number + 3]
        expected = (EIGHT[sample], noisy[sample, level], denoised[sample, level])
        for axes, image in zip(column, expected, strict=True):
            assert (np.asarray(axes.images[0].get_array()) == image[..., 0]).all()
        tops = [axes.get_position().y1 for axes in column]
        assert sorted(tops, reverse=True) == tops, "original above noisy above denoised"
        assert column[0].get_title() == f"noise {levels[level]:g}"
        below = [axes.get_xlabel() for axes in column]
        assert below == ["ab"[sample], f"{10 + number:.1f} dB", f"{10.5 + number:.1f} dB"]
    rows = [axes.get_ylabel() for axes in figure.axes[:3]]
    assert rows == ["original", "noisy", "denoised"]
    columns = [spec.colspan.start for axes in figure.axes[::3] if (spec := axes.get_subplotspec())]
    assert columns == [0, 1, 2, 3, 5, 6, 7, 8], "with a gap between the samples"


def drawn_points(axes) -> tuple[np.ndarray, np.ndarray]:
    """Positions and colours of all points of a map: f[N, 2], f[N, 3]."""
    points = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and len(np.asarray(c.get_offsets()))
    ]
    places = np.concatenate([np.asarray(c.get_offsets()) for c in points])
    return places, np.concatenate([np.asarray(c.get_facecolor())[:, :3] for c in points])


def test_latent_space_draws_every_point_in_the_colour_of_its_class():
    figure = make("latent_space")
    whole, *alone = figure.axes
    places, colours = drawn_points(whole)
    assert len(places) == 1000
    drawn = {
        tuple(np.round(place, 9)): colour for place, colour in zip(places, colours, strict=True)
    }
    view = robust_view(LATENTS)
    for label, point in enumerate(LATENTS[:10]):  # those outside the view are at its edge
        assert tuple(drawn[tuple(np.round(np.clip(point, *view), 9))]) == pytest.approx(
            style.TEN_COLOURS[label]
        )
    assert {ax.get_aspect() for ax in figure.axes} == {1}
    assert [text.get_text() for text in whole.get_legend().get_texts()] == list(CLASS_NAMES)
    assert [ax.get_title() for ax in alone] == list(CLASS_NAMES)
    assert len(set(style.TEN_COLOURS)) == 10


def test_each_class_panel_has_the_colour_on_the_points_of_its_own_class():
    for label, panel in enumerate(make("latent_space").axes[1:]):
        points = [each for each in panel.collections if isinstance(each, PathCollection)]
        mine = [
            each
            for each in points
            if np.allclose(np.asarray(each.get_facecolor())[:, :3], style.TEN_COLOURS[label])
        ]
        places = np.concatenate([np.asarray(each.get_offsets()) for each in mine])
        expected = np.clip(LATENTS[np.arange(1000) % 10 == label], *robust_view(LATENTS))
        np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0))


@pytest.mark.parametrize("ray", [(-8.0, 14.0), (1e4, 0.0), (0.0, -300.0)])
def test_a_ray_of_far_points_does_not_shrink_the_rest_and_stays_visible(ray):
    """2 % of the points on a ray: the middle 90 % of the others fill half the panel, and all 1,000 are drawn inside it."""
    latents = RNG.normal(size=(1000, 2)) * [0.5, 0.4]
    latents[:20] = np.linspace(0.5, 1, 20)[:, None] * ray
    figure = latent_space.latent_space(
        latents, np.arange(1000) % 10, names=CLASS_NAMES, title="a ray"
    )
    for panel in figure.axes:
        limits = np.array([panel.get_xlim(), panel.get_ylim()]).T
        low, high = np.quantile(latents[20:], [0.05, 0.95], axis=0)
        assert ((high - low) / (limits[1] - limits[0]) > 0.4).all()
        places, _ = drawn_points(panel)
        assert ((places >= limits[0] - 1e-9) & (places <= limits[1] + 1e-9)).all()
    places, _ = drawn_points(figure.axes[0])
    assert len(places) == 1000
    outside = int(re.search(r"(\d+) of 1,000 points lie outside", texts(figure)).group(1))  # type: ignore[union-attr]
    assert 20 <= outside <= 30


def test_a_view_of_equal_or_few_points_is_a_view():
    for points in (np.zeros((5, 2)), np.array([[1.0, 2.0]]), RNG.normal(size=(3, 2))):
        view = robust_view(points)
        assert (view.high > view.low).all()
        assert not view.outside(points).any()


def test_samples_are_the_first_of_each_class_in_the_splits_order():
    split = Split(np.zeros((6, 2, 2, 1), np.uint8), np.array([9, 2, 9, 2, 0, 1]))
    assert sample_indices(split, 10).tolist() == [0, 1, 4, 5, 2, 3]  # and then the second ones
    assert sample_indices(split, 2).tolist() == [0, 1]
    assert sample_indices(split._replace(labels=None), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_is_shown_in_colour_or_as_the_mean_of_its_channels(channels):
    image = RNG.random((5, 4, channels))
    expected = image if channels == 3 else image.mean(axis=-1)
    np.testing.assert_allclose(style.picture(image), expected)
    np.testing.assert_allclose(style.picture(image[..., 0]), image[..., 0])


def test_ten_classes_have_two_rows_of_panels_with_smaller_dots_than_the_map():
    whole, *panels = make("latent_space").axes
    places = [
        (spec.rowspan.start, spec.colspan.start)
        for panel in panels
        if (spec := panel.get_subplotspec())
    ]
    assert places == [divmod(label, 5) for label in range(10)]
    sizes = [
        max(
            float(each.get_sizes().max())
            for each in axes.collections
            if isinstance(each, PathCollection) and not far(each)
        )
        for axes in (whole, *panels)
    ]
    assert max(sizes[1:]) < sizes[0]
    assert (whole.get_xlabel(), whole.get_ylabel()) == ("latent dimension 1", "latent dimension 2")


def test_points_have_the_colour_of_their_class_else_of_their_value_else_one_colour():
    values, labels, names = np.arange(1000.0), np.arange(1000) % 10, CLASS_NAMES
    unnamed: Any = {"labels": None, "names": (), "title": ""}
    one, by_value, by_class = (
        drawn_points(figure.axes[0])[1]
        for figure in (
            latent_space.latent_space(LATENTS, **unnamed),
            latent_space.latent_space(LATENTS, **unnamed, values=values, values_label="error"),
            latent_space.latent_space(LATENTS, labels, names=names, values=values, title=""),
        )
    )
    assert len(np.unique(one, axis=0)) == 1
    assert len(np.unique(by_value, axis=0)) > 200
    assert len(np.unique(by_class, axis=0)) == 10


def test_more_than_ten_classes_have_their_numbers_at_their_medians_and_named_panels():
    labels, names = np.arange(1000) % 12, [f"class number {k}" for k in range(12)]
    whole, *panels = latent_space.latent_space(LATENTS, labels, names=names, title="").axes
    numbers = {
        text.get_text(): text.get_position() for text in whole.texts if text.get_text().isdigit()
    }
    assert numbers == {
        str(k): pytest.approx(np.median(LATENTS[labels == k], axis=0)) for k in range(12)
    }
    assert [panel.get_title() for panel in panels] == [f"{k} class nu…" for k in range(12)]


def far(points: PathCollection) -> bool:
    """Whether these are the triangles at the edge."""
    return len(np.asarray(points.get_paths()[0].vertices)) == 4


def test_each_colour_beyond_ten_is_the_farthest_from_those_before_with_and_without_green_receptors():
    """Lightness 25 to 85, on a grid of eleven steps a channel; without green as Viénot, Brettel & Mollon (1999) have it."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 11)] * 3), axis=-1).reshape(-1, 3)

    def views(colours: np.ndarray) -> list[np.ndarray]:
        red, green, blue = np.asarray(colours, float).T
        mixed = 0.29275 * red + 0.70725 * green
        without_green = np.stack([mixed, mixed, blue + 0.02234 * (green - red)], axis=-1)
        return [rgb2lab(colours), rgb2lab(np.clip(without_green, 0, 1))]

    light = views(grid)[0][:, 0]
    grid = grid[(light >= 25) & (light <= 85)]
    chosen = np.array(style.class_colours(16))
    assert chosen[:10].tolist() == [pytest.approx(colour) for colour in style.TEN_COLOURS]
    for k in range(10, 16):
        pairs = list(zip(views(grid), views(chosen), strict=True))
        distances = np.min(
            [np.linalg.norm(a[:, None] - b[None, :k], axis=-1) for a, b in pairs], axis=(0, 2)
        )
        mine = min(np.linalg.norm(b[k] - b[:k], axis=-1).min() for _, b in pairs)
        assert mine == pytest.approx(distances.max())


def test_a_mosaic_puts_row_0_at_the_bottom():
    picture = style.mosaic(SIXTEEN)
    assert picture.shape == (112, 112)
    assert (picture[-28:, :28] == SIXTEEN[0, 0, ..., 0]).all()
    assert (picture[:28, 28:56] == SIXTEEN[3, 1, ..., 0]).all()


def test_the_latent_grid_shows_counts_and_the_edges_in_latent_units():
    left, right, _ = make("latent_grid").axes
    assert (np.asarray(right.images[0].get_array()) == np.arange(16).reshape(4, 4)).all()
    assert right.images[0].origin == "lower"
    for axes in (left, right):
        for ticks, edge in (
            (axes.get_xticklabels(), np.linspace(-1, 1, 5)),
            (axes.get_yticklabels(), np.linspace(-2, 2, 5)),
        ):
            assert len(ticks) > 2
            for tick in ticks:
                place = (
                    tick.get_position()[0]
                    if tick in axes.get_xticklabels()
                    else tick.get_position()[1]
                )
                value = float(tick.get_text().replace("−", "-"))
                assert len(f"{abs(value):g}") <= 3, "a round number"
                assert np.interp(value, edge, np.arange(5)) == pytest.approx(place)


def test_ticks_are_round_and_reach_from_edge_to_edge():
    left, right, _ = make("latent_grid").axes
    assert [text.get_text() for text in right.get_xticklabels()] == ["−1", "−0.5", "0", "0.5", "1"]
    assert [text.get_text() for text in right.get_yticklabels()] == ["−2", "−1", "0", "1", "2"]
    assert (left.get_xlabel(), left.get_ylabel()) == ("latent dimension 1", "latent dimension 2")


def test_noise_drift_points_from_clean_to_noisy():
    figure = make("noise_drift")
    for axes, end in zip(figure.axes, (LATENTS[30:60], LATENTS[60:90]), strict=False):
        arrows: Any = next(c for c in axes.collections if isinstance(c, Quiver))
        np.testing.assert_allclose(np.c_[arrows.X, arrows.Y], LATENTS[:30])
        np.testing.assert_allclose(np.c_[arrows.X + arrows.U, arrows.Y + arrows.V], end)
    lines = figure.axes[2].lines
    np.testing.assert_allclose(lines[0].get_ydata(), [0, 20, 70])
    np.testing.assert_allclose(lines[1].get_ydata(), [10, 30, 80])


def test_noise_drift_says_how_many_begin_outside_if_any_do():
    assert "outside" not in texts(make("noise_drift"))
    view = View(np.array([-4.0, -4.0]), np.array([0.0, 4.0]))
    figure = latent_plane.noise_drift(
        LATENTS[:30],
        {0.25: LATENTS[30:60]},
        None,
        names=(),
        grid=SIXTEEN,
        view=view,
        levels=(),
        title="",
    )
    assert f"({(LATENTS[:30, 0] > 0).sum()} of 30 begin outside" in figure.axes[0].get_xlabel()


def test_the_backdrop_of_noise_drift_is_a_faint_negative_of_grey_and_a_faint_print_of_colours():
    view, red = View(np.array([-4.0, -4.0]), np.array([4.0, 4.0])), np.zeros((4, 4, 2, 2, 3))
    red[..., 0] = 1.0
    for grid, shown in (
        (SIXTEEN, 1 - 0.4 * style.mosaic(SIXTEEN)),
        (red, np.broadcast_to([1.0, 0.6, 0.6], (8, 8, 3))),
    ):
        figure = latent_plane.noise_drift(
            LATENTS[:30],
            {0.25: LATENTS[30:60]},
            None,
            names=(),
            grid=grid,
            view=view,
            levels=(),
            title="",
        )
        np.testing.assert_allclose(
            np.asarray(figure.axes[0].images[0].get_array()), shown, rtol=1e-6
        )


def test_a_wide_map_leaves_no_bands_in_noise_drift():
    view = View(np.array([-4.0, -2.0]), np.array([4.0, 2.0]))
    figure = latent_plane.noise_drift(
        LATENTS[:30],
        {0.25: LATENTS[30:60], 0.6: LATENTS[60:90]},
        None,
        names=(),
        grid=SIXTEEN,
        view=view,
        levels=(),
        title="",
    )
    figure.draw_without_rendering()
    panel = figure.axes[0].get_window_extent()
    assert panel.height / panel.width == pytest.approx(0.5, rel=0.01)
    assert panel.height / figure.bbox.height > 0.5


@pytest.mark.parametrize(
    ("name", "shown"), [("boots", "boots"), ("boot", "boot"), ("sandals", "sand…")]
)
def test_long_names_are_cut(name, shown):
    assert style.shorten(name, 5) == shown


def test_the_noise_curve_marks_trained_noise_and_break_even_and_leaves_out_what_is_infinite():
    figure = make("noise_curve")
    by_label: Any = {line.get_label(): line for line in figure.axes[0].lines}
    (trained,) = [patch for patch in figure.axes[0].patches if patch.get_label() == "trained noise"]
    assert trained.get_extents().transformed(
        figure.axes[0].transData.inverted()
    ).intervalx == pytest.approx([0.2, 0.3])
    assert by_label["break-even, 0.188"].get_xdata()[0] == 0.1875
    np.testing.assert_allclose(by_label["jaxae"].get_ydata(), [0, 0.06])
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [np.nan, 12.25])
    below = {line.get_label(): line.get_color() for line in figure.axes[3].lines}
    assert "Gaussian (trained on)" in below
    assert [axes.get_title() for axes in figure.axes[4:]] == ["Gaussian", ""], (
        "the input, and below it the output"
    )
    for axes, low, high in (
        (figure.axes[0], [0, 0.05], [0, 0.07]),
        (figure.axes[2], [1, 0.3], [1, 0.4]),
    ):
        corners = axes.collections[0].get_paths()[0].vertices
        for level, *ends in zip(CURVE_LEVELS, low, high, strict=True):
            assert sorted({y for x, y in corners.tolist() if x == level}) == sorted(set(ends)), (
                "over all draws"
            )
    above = {line.get_color() for line in figure.axes[0].lines if line.get_label() != "jaxae"}
    assert not above & {colour for kind, colour in below.items() if kind != "do nothing"}, (
        "one colour means one thing"
    )


def test_the_models_own_curve_is_the_boldest_and_no_curve_leaves_its_panel():
    figure = make("noise_curve")
    ours, *others = figure.axes[0].lines[:2]
    assert all(ours.get_linewidth() > line.get_linewidth() for line in others)
    below = figure.axes[3]
    assert POINTS[1].max() <= below.get_ylim()[1] < 1
    assert figure.axes[1].get_ylim() == (5, 30)
    assert figure.axes[2].get_ylim()[1] < 2, "SSIM"


def test_seed_agreement_shows_shares_and_what_the_members_make_of_each_image():
    figure = make("seed_agreement")
    for part in ("member 1: seed 1", "25", "std over members", "Ankle boot"):
        assert part in texts(figure)
    shown = [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]
    expected = [
        EIGHT[0],
        (EIGHT[0] + EIGHT[3]) / 2,
        np.abs(EIGHT[3] - EIGHT[0]) / 2,
        np.abs(EIGHT[3] - EIGHT[0]) / 2**0.5,
    ]
    for image in expected:
        assert any(each.shape == (28, 28) and np.allclose(each, image[..., 0]) for each in shown)


def test_seed_agreement_has_a_panel_a_member_without_ticks_and_numbers_that_can_be_read():
    figure = make("seed_agreement")
    maps = figure.axes[:2]
    for number, axes in enumerate(maps):
        spec: Any = axes.get_subplotspec()
        assert (spec.colspan.start, spec.get_gridspec().ncols) == (number, 2)
        assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0, "an aligned map has no unit"
    shares = figure.axes[2]
    for text in shares.texts:
        x, y = text.get_position()
        ground = shares.images[0].to_rgba([[100 * SHARED[y, x]]])[0, 0, :3]
        lightness = rgb2lab([to_rgb(text.get_color()), ground])[:, 0]
        assert abs(lightness[0] - lightness[1]) > 45


def test_seed_agreement_of_one_sample():
    shared, labels = np.eye(2), np.arange(1000) % 10
    figure = seeds.seed_agreement(
        [LATENTS] * 2,
        labels,
        shared,
        members=["a", "b"],
        names=CLASS_NAMES,
        clean=EIGHT[:1],
        denoised=np.stack([EIGHT[1:2], EIGHT[2:3]]),
        title="",
    )
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    assert any(image.shape == (28, 28) and np.allclose(image, EIGHT[0, ..., 0]) for image in shown)


def test_training_curves_show_losses_drops_and_the_best_epoch():
    losses, rates = training_curves([ROWS], title="").axes
    lines: Any = {line.get_label(): line for line in losses.lines}
    assert lines["validation"].get_xdata().tolist() == [1, 2, 4]  # a row that is lost is left out
    assert lines["validation"].get_ydata().tolist() == [0.2, 0.15, 0.18]
    best = lines["best epoch, 2: 0.1500"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.15)
    (drops,) = [line for line in rates.lines if line.get_marker() == "v"]
    assert (np.asarray(drops.get_xdata()).tolist(), np.asarray(drops.get_ydata()).tolist()) == (
        [4],
        [5e-4],
    )
    more = [*ROWS, {**ROWS[-1], "epoch": 5}, {**ROWS[-1], "epoch": 7, "learning_rate": 2e-4}]
    (drops,) = [
        line for line in training_curves([more], title="").axes[1].lines if line.get_marker() == "v"
    ]
    assert np.asarray(drops.get_xdata()).tolist() == [4, 7]
    mean = (
        training_curves([ROWS, [{**row, "train_loss": 0.5} for row in ROWS]], title="")
        .axes[0]
        .lines[0]
    )
    np.testing.assert_allclose(np.asarray(mean.get_ydata()), [0.4, 0.35, 0.3])


@pytest.mark.parametrize("name", ALL)
def test_same_arrays_same_pixels_and_the_title_is_there(name):
    assert png(make(name)) == png(make(name))
    assert "SYNTHETIC" in texts(make(name))
