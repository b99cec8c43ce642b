"""What figures say: images in their places, data, colours, titles, labels and legends."""

import re
from collections import Counter
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.quiver import Quiver

from jaxae.figures import style
from jaxae.figures.contact_sheet import draw_contact_sheet
from jaxae.figures.latent_plane import draw_latent_grid, draw_noise_drift
from jaxae.figures.latent_space import draw_latent_space
from jaxae.figures.map_view import View, aspect, robust_view
from jaxae.figures.noise_curve import draw_noise_curve
from jaxae.figures.samples import (
    WORSE,
    draw_error_maps,
    draw_noise_robustness,
    draw_reconstructions,
)
from jaxae.figures.seeds import draw_seed_agreement
from jaxae.figures.training_curves import draw_training_curves

RNG = np.random.default_rng(0)
EIGHT = RNG.random((8, 28, 28, 1))
POINTS = RNG.normal(size=(1000, 2))
LABELS = np.arange(1000) % 10
NAMES = [f"class {k}" for k in range(10)]
GRID = RNG.random((4, 4, 28, 28, 1))
WIDE = View(np.array([-4.0, -4.0]), np.array([4.0, 4.0]))


def panels(axes, rows: int) -> Any:
    """Return the panels row by row."""
    return np.array(axes, object).reshape(rows, -1)


def shown(axes) -> np.ndarray:
    """Return the image that a panel shows."""
    return np.asarray(axes.images[0].get_array())


def texts(figure) -> str:
    """Return all that a person can read in a figure."""
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return "\n".join(text.get_text() for text in found)


def dots(axes) -> tuple[np.ndarray, np.ndarray]:
    """Return the places f[N, 2] and colours f[N, 3] of all points of a map."""
    drawn = [each for each in axes.collections if isinstance(each, PathCollection)]
    drawn = [each for each in drawn if len(np.asarray(each.get_offsets()))]
    places = [np.asarray(each.get_offsets()) for each in drawn]
    colours = [
        np.broadcast_to(np.asarray(each.get_facecolor())[:, :3], (len(place), 3))
        for each, place in zip(drawn, places, strict=True)
    ]
    return np.concatenate(places), np.concatenate(colours)


def test_reconstructions_are_rows_of_clean_noisy_and_denoised_and_mark_what_is_worse():
    before = np.arange(8) + 10.0
    after = before + np.where(np.arange(8) < 3, -1, 1)
    figure = draw_reconstructions(
        EIGHT,
        EIGHT / 2,
        EIGHT / 3,
        names=list("abcdefgh"),
        noisy_psnr=before,
        denoised_psnr=after,
        title="SYNTHETIC",
    )
    rows = panels(figure.axes, 3)
    for row, images in zip(rows, (EIGHT, EIGHT / 2, EIGHT / 3), strict=True):
        for axes, image in zip(row, images, strict=True):
            np.testing.assert_array_equal(shown(axes), image[..., 0])
            assert axes.images[0].get_clim() == (0, 1)
    assert [row[0].get_ylabel() for row in rows] == ["clean", "noisy", "denoised"]
    assert [axes.get_xlabel() for axes in rows[0]] == list("abcdefgh")
    assert rows[1][3].get_xlabel() == "13.0 dB"
    assert rows[2][3].get_xlabel() == "14.0 dB"
    assert [axes.get_xlabel().endswith(WORSE) for axes in rows[2]] == [True] * 3 + [False] * 5
    assert "no better than the noisy image: 3 of 8" in texts(figure)
    assert "SYNTHETIC" in texts(figure)


def test_rows_are_high_enough_for_images_of_the_width_of_their_columns():
    psnr = np.arange(8.0)
    figure = draw_reconstructions(
        EIGHT, EIGHT, EIGHT, names=NAMES[:8], noisy_psnr=psnr, denoised_psnr=psnr, title=""
    )
    figure.draw_without_rendering()
    widths = sum(axes.get_window_extent().width for axes in figure.axes[:8])
    assert widths > 0.8 * figure.bbox.width


def test_figures_of_one_sample_alone_are_drawn():
    one, psnr = EIGHT[:1], np.ones(1)
    options: dict = {"names": NAMES[:1], "title": ""}
    draw_reconstructions(one, one, one, noisy_psnr=psnr, denoised_psnr=psnr, **options)
    figure = draw_error_maps(one, one / 2, one, **options)
    np.testing.assert_array_equal(shown(figure.axes[1]), EIGHT[0, ..., 0] / 2)


def test_error_maps_share_one_scale_from_zero_and_brighter_is_worse():
    clean, noisy, denoised = EIGHT[:6], EIGHT[:6] / 3, EIGHT[:6] / 2
    figure = draw_error_maps(clean, noisy, denoised, names=NAMES[:6], title="SYNTHETIC")
    rows = panels(figure.axes[:24], 4)
    error = np.abs(denoised - clean)
    for row, images in zip(rows, (clean, noisy, denoised, error), strict=True):
        for axes, image in zip(row, images, strict=True):
            np.testing.assert_array_equal(shown(axes), image[..., 0])
    assert [axes.get_title() for axes in rows[0]] == NAMES[:6]
    assert rows[3][0].get_xlabel() == f"MAE {error[0].mean():.3f}"
    assert {axes.images[0].get_clim() for axes in rows[3]} == {(0, error.max())}
    colours = rows[3][0].images[0].get_cmap()(np.linspace(0, 1, 50))
    assert (np.diff(colours[:, :3] @ [0.2126, 0.7152, 0.0722]) > 0).all(), "brighter is worse"
    assert "pixels in [0, 1]" in texts(figure)


def test_noise_robustness_has_a_block_a_sample_and_a_column_a_level():
    noisy, denoised = RNG.random((2, 2, 4, 28, 28, 1))
    before = 10 + np.arange(8.0).reshape(2, 4)
    levels = (0.1, 0.25, 0.4, 0.6)
    figure = draw_noise_robustness(
        EIGHT[:2],
        noisy,
        denoised,
        names="ab",
        levels=levels,
        noisy_psnr=before,
        denoised_psnr=before + 0.5,
        title="SYNTHETIC",
    )
    for number, (sample, level) in enumerate(np.ndindex(2, 4)):
        column = figure.axes[3 * number : 3 * number + 3]
        expected = (EIGHT[sample], noisy[sample, level], denoised[sample, level])
        for axes, image in zip(column, expected, strict=True):
            np.testing.assert_array_equal(shown(axes), image[..., 0])
        places: list[Any] = [axes.get_subplotspec() for axes in column]
        assert [place.rowspan.start for place in places] == [0, 1, 2]
        assert {place.colspan.start for place in places} == {5 * sample + level}
        assert column[0].get_title() == f"noise {levels[level]:g}"
        below = [axes.get_xlabel() for axes in column]
        assert below == ["ab"[sample], f"{10 + number:.1f} dB", f"{10.5 + number:.1f} dB"]
    assert [axes.get_ylabel() for axes in figure.axes[:3]] == ["original", "noisy", "denoised"]


def test_latent_space_has_every_point_in_the_colour_of_its_class():
    points = RNG.uniform(size=(1000, 2))
    figure = draw_latent_space(points, LABELS, names=NAMES, title="SYNTHETIC")
    whole, *alone = figure.axes
    places, colours = dots(whole)
    order = np.argsort(places[:, 0])
    expected = np.argsort(points[:, 0])
    np.testing.assert_allclose(places[order], points[expected])
    np.testing.assert_allclose(colours[order], np.array(style.TEN_COLOURS)[LABELS[expected]])

    for label, panel in enumerate(alone):
        places, colours = dots(panel)
        mine = np.isclose(colours, style.TEN_COLOURS[label]).all(axis=1)
        np.testing.assert_allclose(places[mine], points[label == LABELS])
    assert [panel.get_title() for panel in alone] == NAMES
    legend: Any = whole.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    assert (whole.get_xlabel(), whole.get_ylabel()) == ("latent dimension 1", "latent dimension 2")
    assert "outside" not in texts(figure)


def test_dots_are_smaller_where_there_are_more_and_rings_go_around_them():
    sizes = []
    for count in (1000, 20_000):
        points = RNG.uniform(size=(count, 2))
        figure = draw_latent_space(points, None, names=(), title="", trained_on=count - 9)
        dot, ring, *_ = (
            each.get_sizes()[0]
            for each in figure.axes[0].collections
            if isinstance(each, PathCollection)
        )
        assert ring > dot
        sizes.append(dot)
    assert sizes[0] > sizes[1]


def test_a_square_map_takes_most_of_the_width():
    figure = draw_latent_space(RNG.uniform(size=(1000, 2)), None, names=(), title="")
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 0.6 * figure.bbox.width


@pytest.mark.parametrize("ray", [(-8.0, 14.0), (1e4, 0.0), (0.0, -300.0)])
def test_far_points_do_not_shrink_the_rest_and_are_drawn_at_the_edge(ray):
    """2 % of the points on a ray: the others still fill 40 % of the map, and no point is lost."""
    points = POINTS * [0.5, 0.4]
    points[:20] = np.linspace(0.5, 1, 20)[:, None] * ray
    figure = draw_latent_space(points, LABELS, names=NAMES, title="")
    view = robust_view(points)
    low, high = np.quantile(points[20:], [0.05, 0.95], axis=0)
    assert ((high - low) / (view.high - view.low) > 0.4).all()
    assert figure.axes[0].get_xlim() == pytest.approx((view.low[0], view.high[0]))

    places, _ = dots(figure.axes[0])
    expected = np.clip(points, view.low, view.high)
    np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0))
    note = re.search(r"(\d+) of 1,000 points lie outside", texts(figure))
    assert note is not None
    assert int(note[1]) == view.outside(points).sum() >= 20


def test_points_without_classes_have_the_colour_of_their_value_else_one_colour():
    unnamed: Any = {"labels": None, "names": (), "title": ""}
    plain = draw_latent_space(POINTS, **unnamed)
    assert len(np.unique(dots(plain.axes[0])[1], axis=0)) == 1
    valued = draw_latent_space(POINTS, **unnamed, values=np.arange(1000.0), values_label="error")
    assert len(np.unique(dots(valued.axes[0])[1], axis=0)) > 200
    assert "error" in texts(valued)


def test_held_out_points_have_rings_and_images_stand_where_none_hides_another():
    """Images of a cross of points have their own places, or stay points."""
    row = np.linspace(0, 1, 20)
    middle = np.full(20, 0.5)
    points = np.concatenate([np.stack([row, middle], 1), np.stack([middle, row], 1)])
    images = np.full((40, 6, 8, 3), 90, np.uint8)
    unnamed: dict = {"labels": None, "names": (), "title": ""}
    figure = draw_latent_space(points, **unnamed, trained_on=30, thumbnails=images)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    rings = np.concatenate([each.get_offsets() for each in axes.collections[-2:]])
    np.testing.assert_allclose(np.unique(rings, axis=0), np.unique(points[30:], axis=0))

    boxes = [each for each in axes.artists if isinstance(each, AnnotationBbox)]
    assert 5 < len(boxes) < 40
    extents = [each.get_window_extent() for each in boxes]
    for number, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[:number])


def test_a_contact_sheet_has_bands_of_eight_pairs():
    above = np.linspace(0, 1, 11)[:, None, None, None] * np.ones((1, 2, 3, 1))
    names = [f"a very long name of a file, number {k}.png" for k in range(11)]
    notes = [f"MSE {k}" for k in range(11)]
    figure = draw_contact_sheet(
        above, 1 - above, names=names, notes=notes, rows=("one", "other"), title="T"
    )
    panels = figure.axes
    assert len(panels) == 22
    shown = {axes.get_title(): axes for axes in panels if axes.get_title()}
    assert len(shown) == 11
    np.testing.assert_array_equal(panels[0].images[0].get_array(), above[0, ..., 0])
    assert [axes.get_xlabel() for axes in panels if axes.get_xlabel()] == notes


TWELVE = range(12)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        ([str(k) for k in range(10, -1, -1)], [str(k) for k in range(10, -1, -1)]),
        ([f"{k:02d} is too long" for k in TWELVE], [f"{k:02d} is too…" for k in TWELVE]),
        ([f"class number {k:02d}" for k in TWELVE], [f"class…r {k:02d}" for k in TWELVE]),
    ],
)
def test_many_classes_have_their_own_names_on_map_panels_and_legend(names, short):
    labels = np.arange(1000) % len(names)
    points = POINTS + 40 * np.stack([labels % 3, labels // 3], axis=1)  # each class apart
    whole, *alone = draw_latent_space(points, labels, names=names, title="").axes

    written = {each.get_text(): each.get_position() for each in whole.texts}
    for k, name in enumerate(short):
        assert written[name] == pytest.approx(np.median(points[labels == k], axis=0))
    assert whole.get_legend() is None

    assert [panel.get_title() for panel in alone] == short
    legend = drift(names=names).subfigs[0].legends[0]
    assert [text.get_text() for text in legend.texts] == short


@pytest.mark.parametrize("count", [6, 11])
def test_no_class_is_alone_in_the_last_row(count):
    names = list(map(str, range(count)))
    figure = draw_latent_space(POINTS, np.arange(1000) % count, names=names, title="")
    alone: list[Any] = figure.axes[1:]
    rows = Counter(panel.get_subplotspec().rowspan.start for panel in alone)
    assert sum(rows.values()) == count
    assert min(rows.values()) > 1


@pytest.mark.parametrize(("count", "named"), [(12, 12), (60, 60), (61, 0)])
def test_names_of_classes_that_mix_are_next_to_the_map_and_touch_nothing(count, named):
    """Of more classes than there is room for, the smaller maps alone have the names."""
    names = [f"class number {k:02d}" for k in range(count)]
    figure = draw_latent_space(POINTS, np.arange(1000) % count, names=names, title="")
    figure.draw_without_rendering()
    whole = figure.axes[0]
    assert not any("class" in each.get_text() for each in whole.texts)

    legend = whole.get_legend()
    texts = [] if legend is None else legend.get_texts()
    assert len(texts) == named
    boxes = [text.get_window_extent() for text in texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert whole.get_window_extent().x1 < box.x0 < box.x1 <= figure.bbox.x1


def test_names_with_dollars_and_a_users_matplotlibrc_change_no_pixel():
    """LaTeX, fonts that are not here, and other sizes: figures are drawn in our own style."""
    names = [f"${k}$" for k in range(10)]

    def pictures() -> list[bytes]:
        figures = [
            draw_latent_space(POINTS, LABELS, names=names, title="5 $ and 6 $"),
            draw_training_curves([EPOCHS], title="SYNTHETIC"),
        ]
        shown = figures[0].axes[0].get_legend().texts  # type: ignore[union-attr]
        assert [text.get_text() for text in shown] == names
        assert not any(text.get_parse_math() for text in shown)
        return [figure._repr_png_() for figure in figures]

    usual = pictures()
    theirs: Any = {
        "text.usetex": True,
        "font.family": "no such font",
        "font.size": 30,
        "axes.facecolor": "black",
        "savefig.transparent": True,
        "savefig.bbox": "tight",
        "mathtext.fontset": "cm",
        "axes.formatter.use_mathtext": True,
    }
    with matplotlib.rc_context(theirs):
        assert pictures() == usual
        assert matplotlib.rcParams["font.size"] == 30


def test_characters_that_our_font_lacks_come_from_one_of_this_machine(monkeypatch, tmp_path):
    """STIX, which comes with matplotlib, has a letter that DejaVu lacks, as others have 猫."""

    def save(fonts: tuple[str, ...]) -> None:
        monkeypatch.setattr(style, "WIDE_FONTS", fonts)
        style.fonts.cache_clear()
        with style.own_style():
            figure = style.Figure(figsize=(1, 1))
            figure.suptitle("\N{LATIN SMALL LETTER D WITH PALATAL HOOK}")
        figure.savefig(tmp_path / "letter.png")

    try:
        save(("Not Here", "STIXGeneral"))
        with pytest.warns(UserWarning, match="missing from font"):
            save(("Not Here",))
    finally:
        style.fonts.cache_clear()


def test_class_colours_are_ten_fixed_ones_then_others_then_they_repeat():
    colours = style.class_colours(100)
    assert colours[:10] == style.TEN_COLOURS == style.class_colours(10)
    assert len(set(colours[:42])) == 42
    assert colours[42:84] == colours[:42]


@pytest.mark.parametrize(
    ("width", "height", "drawn"),
    [(1, 1, 1.0), (4, 2, 0.5), (2, 4, 2.0), (4, 1, 0.75), (1, 4, 0.75)],
)
def test_a_map_keeps_its_aspect_unless_it_is_too_long(width, height, drawn):
    assert aspect(View(np.array([-1, 2]), np.array([-1 + width, 2 + height]))) == drawn


def test_a_view_of_equal_or_few_points_is_a_view():
    for points in (np.zeros((5, 2)), np.array([[1.0, 2.0]]), POINTS[:3]):
        view = robust_view(points)
        assert (view.high > view.low).all()
        assert not view.outside(points).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_is_shown_in_colour_or_as_the_mean_of_its_channels(channels):
    image = RNG.random((5, 4, channels))
    expected = image if channels == 3 else image.mean(axis=-1)
    np.testing.assert_allclose(style.picture(image), expected)


def test_the_latent_grid_has_row_0_at_the_bottom_and_round_ticks_in_latent_units():
    edges = np.linspace(-1, 1, 5), np.linspace(-2, 2, 5)
    counts = np.arange(16).reshape(4, 4)
    left, right, _ = draw_latent_grid(GRID, counts, edges=edges, title="").axes
    np.testing.assert_array_equal(shown(left)[-28:, :28], GRID[0, 0, ..., 0])
    np.testing.assert_array_equal(shown(left)[:28, 28:56], GRID[3, 1, ..., 0])
    np.testing.assert_array_equal(shown(right), counts)
    assert right.images[0].origin == "lower"
    ticks = {text.get_text(): text.get_position()[0] for text in right.get_xticklabels()}
    assert ticks == {"−1": 0, "−0.5": 1, "0": 2, "0.5": 3, "1": 4}
    assert {text.get_text() for text in left.get_yticklabels()} >= {"−2", "−1", "0", "1", "2"}
    assert (left.get_xlabel(), left.get_ylabel()) == ("latent dimension 1", "latent dimension 2")


def drift(**options: Any):
    given: Any = {
        "clean": POINTS[:30],
        "noisy": {0.25: POINTS[30:60], 0.6: POINTS[60:90]},
        "labels": LABELS[:30],
        "names": NAMES,
        "grid": GRID,
        "view": WIDE,
        "levels": (0.0, 0.25, 0.6),
        "title": "",
    }
    return draw_noise_drift(**given | options)


def test_noise_drift_has_arrows_from_clean_to_noisy_and_shares_in_per_cent():
    shares = np.array([0.0, 0.2, 0.7])
    figure = drift(changed=shares, accuracy=0.9 - shares)
    for axes, level, end in zip(figure.axes, (0.25, 0.6), (30, 60), strict=False):
        (arrows,) = (each for each in axes.collections if isinstance(each, Quiver))
        vectors: Any = arrows
        np.testing.assert_allclose(np.c_[vectors.X, vectors.Y], POINTS[:30])
        tips = np.c_[vectors.X + vectors.U, vectors.Y + vectors.V]
        np.testing.assert_allclose(tips, POINTS[end : end + 30])
        assert f"noise {level}" in axes.get_title()
    changed, wrong = figure.axes[2].lines
    np.testing.assert_allclose(changed.get_ydata(), [0, 20, 70])
    np.testing.assert_allclose(wrong.get_ydata(), [10, 30, 80])
    assert "%" in figure.axes[2].get_ylabel()
    assert "outside" not in texts(figure)


def test_noise_drift_says_how_many_begin_outside_over_a_faint_backdrop():
    view = View(np.array([-4.0, -4.0]), np.array([0.0, 4.0]))
    axes = drift(view=view, labels=None, names=()).axes[0]
    assert f"({(POINTS[:30, 0] > 0).sum()} of 30 begin outside" in axes.get_xlabel()
    np.testing.assert_allclose(shown(axes), 1 - 0.4 * style.mosaic(GRID))
    red = np.zeros((4, 4, 2, 2, 3))
    red[..., 0] = 1.0
    colour = shown(drift(grid=red).axes[0])
    np.testing.assert_allclose(colour, np.broadcast_to([1.0, 0.6, 0.6], (8, 8, 3)))


def test_the_noise_curve_names_methods_marks_levels_and_leaves_out_what_is_infinite():
    method = {
        "mse": np.array([[0.0, 0.0], [0.05, 0.07]]),
        "psnr": np.array([[np.nan, np.nan], [13.0, 11.5]]),
        "ssim": np.array([[1.0, 1.0], [0.4, 0.3]]),
    }
    errors = np.array([[0.01, 0.02], [0.1, 0.11]]), np.array([[0.03, 0.031], [0.04, 0.05]])
    figure = draw_noise_curve(
        [0.0, 0.5],
        {"jaxae": method, "PCA": method},
        {"Gaussian": errors, "blur": errors},
        trained_noise=(0.2, 0.3),
        break_even=0.1875,
        examples={"Gaussian": (EIGHT[0], EIGHT[1])},
        title="SYNTHETIC",
    )
    mse, psnr, ssim, below, noisy, denoised = figure.axes
    ours, other, break_even = mse.lines
    assert [each.get_label() for each in mse.lines] == ["jaxae", "PCA", "break-even, 0.188"]
    np.testing.assert_allclose(np.asarray(ours.get_ydata()), [0, 0.06])
    assert ours.get_linewidth() > other.get_linewidth()
    assert np.asarray(break_even.get_xdata())[0] == 0.1875
    (trained,) = (each for each in mse.patches if each.get_label() == "trained noise")
    span = trained.get_extents().transformed(mse.transData.inverted())
    assert span.intervalx == pytest.approx([0.2, 0.3])
    band: Any = mse.collections[0].get_paths()[0].vertices
    assert {y for x, y in band.tolist() if x == 0.5} == {0.05, 0.07}, "over all draws"
    np.testing.assert_array_equal(np.asarray(psnr.lines[0].get_ydata()), [np.nan, 12.25])
    assert [axes.get_ylabel() for axes in (mse, psnr, ssim)] == [
        "mean squared error",
        "PSNR of the MSE, dB",
        "SSIM",
    ]
    gaussian, blur, nothing = below.lines
    assert gaussian.get_label() == "Gaussian (trained on)"
    assert nothing.get_label() == "do nothing"
    assert blur.get_color() not in [each.get_color() for each in mse.lines], "one colour, one thing"
    assert errors[1].max() <= below.get_ylim()[1] < 1
    np.testing.assert_array_equal(shown(noisy), EIGHT[0, ..., 0])
    np.testing.assert_array_equal(shown(denoised), EIGHT[1, ..., 0])


@pytest.mark.parametrize("count", [1, 3])
def test_seed_agreement_shows_shares_and_what_the_members_make_of_each_image(count):
    clean, one, other = EIGHT[:count], EIGHT[3 : 3 + count], EIGHT[5 : 5 + count]
    figure = draw_seed_agreement(
        [POINTS, POINTS[::-1]],
        LABELS,
        np.array([[1, 0.25], [0.25, 1]]),
        members=["seed 0", "seed 1"],
        names=NAMES,
        clean=clean,
        denoised=np.stack([one, other]),
        title="SYNTHETIC",
    )
    first, second, shares, *_ = figure.axes
    assert (first.get_title(), second.get_title()) == ("member 0: seed 0", "member 1: seed 1")
    assert len(first.get_xticks()) == 0, "an aligned map has no unit"
    assert [text.get_text() for text in shares.texts] == ["100", "25", "25", "100"]
    pictures = [axes for axes in figure.axes if axes.images and shown(axes).shape == (28, 28)]
    mean = (one + other) / 2
    expected = (clean, mean, np.abs(mean - clean), np.abs(one - other) / 2**0.5)
    for row, images in zip(panels(pictures, 4), expected, strict=True):
        for axes, image in zip(row, images, strict=True):
            np.testing.assert_allclose(shown(axes), image[..., 0])
    assert "std over members" in texts(figure)


EPOCHS = [
    {"epoch": 1, "train_loss": 0.3, "validation_loss": 0.2, "learning_rate": 1e-3, "best": True},
    {"epoch": 2, "train_loss": 0.2, "validation_loss": 0.15, "learning_rate": 1e-3, "best": True},
    {"epoch": 4, "train_loss": 0.1, "validation_loss": 0.18, "learning_rate": 5e-4, "best": False},
    {"epoch": 7, "train_loss": 0.1, "validation_loss": 0.18, "learning_rate": 2e-4, "best": False},
]


def test_training_curves_show_losses_drops_and_the_best_epoch():
    losses, rates = draw_training_curves([EPOCHS], title="SYNTHETIC").axes
    lines: Any = {line.get_label(): line for line in losses.lines}
    assert lines["validation"].get_xdata().tolist() == [1, 2, 4, 7]  # epochs 3, 5 and 6 are lost
    assert lines["validation"].get_ydata().tolist() == [0.2, 0.15, 0.18, 0.18]
    best = lines["best epoch, 2: 0.1500"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.15)
    (drops,) = (line for line in rates.lines if line.get_marker() == "v")
    assert np.asarray(drops.get_xdata()).tolist() == [4, 7]
    assert np.asarray(drops.get_ydata()).tolist() == [5e-4, 2e-4]


def test_training_curves_of_a_population_are_means():
    other = [{**row, "train_loss": 0.5} for row in EPOCHS[:3]]
    losses = draw_training_curves([EPOCHS, other], title="").axes[0]
    lines: Any = {line.get_label(): line for line in losses.lines}
    training = lines["training (mean of the epoch's steps) (mean; band: all members)"]
    np.testing.assert_allclose(training.get_ydata(), [0.4, 0.35, 0.3, 0.1])
    assert list(lines["best epoch of each of 2 members"].get_xdata()) == [2, 2]
