"""The explorer in a real browser: its network against NumPy, its pictures against the data."""

import base64
import copy
import csv
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image

import jaxae
from jaxae.cli import explore
from jaxae.cli.options import Source
from jaxae.data.dataset import Dataset, sample
from jaxae.data.split import split
from jaxae.errors import InputError
from jaxae.export import page_data, page_weights
from jaxae.export.explorer_page import MODULES, PARTS, explorer_page
from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel, fold_batch_norm
from jaxae.figures import sheets
from jaxae.inference import Run, encode, reconstruct
from tests import ROOT
from tests.browser import Page, browser  # noqa: F401 - a fixture
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics

HOSTILE = ("<script>document.title='broken'</script>", "</script><b>bold</b>", "a & b")


def blobs(shape: tuple[int, int, int], *, names: tuple[str, ...]) -> Dataset:
    """Noise of three kinds; without names it has no labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90).astype(np.uint8)
    brightness = 60 + 60 * labels[:, None, None, None]
    images = (rng.random((90, *shape)) * brightness).astype(np.uint8)

    arrays = {"train_images": images[:30], "test_images": images[30:]}
    if names:
        arrays |= {"train_labels": labels[:30], "test_labels": labels[30:]}
    return split(arrays, name="synthetic", title="Blobs <i>", class_names=names)


def rounded(layer: DenseLayer) -> DenseLayer:
    """A layer as the page holds it: wide ones in half precision."""
    if layer.kernel.size < 10_000:
        return layer
    kernel, bias = (
        array.astype(np.float16).astype(np.float32) for array in (layer.kernel, layer.bias)
    )
    return layer._replace(kernel=kernel, bias=bias)


def decoded(folded: FoldedModel, latents: np.ndarray) -> np.ndarray:
    """f64[N, 28, 28]."""
    return apply_layers(folded.decoder, latents).reshape(-1, 28, 28)


def squared_errors(run: Run, dataset: Dataset) -> np.ndarray:
    """Errors of the reconstructions of the clean test images, f64[N]."""
    images = dataset.test.images
    return np.square(reconstruct(run, images) - images / 255).mean(axis=(1, 2, 3))


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def open_page(browser, folder: Path, run: Run, dataset: Dataset) -> Page:  # noqa: F811
    path = folder / "explorer.html"
    path.write_text(explorer_page(run, dataset), encoding="utf-8")
    return Page(browser, path)


@pytest.fixture(scope="module")
def run() -> Run:
    return run_with_statistics(widths=(64, 8))


@pytest.fixture(scope="module")
def folded(run) -> FoldedModel:
    """The network that the page computes."""
    exact = fold_batch_norm(run)
    return FoldedModel(
        encoder=tuple(rounded(layer) for layer in exact.encoder),
        decoder=tuple(rounded(layer) for layer in exact.decoder),
    )


@pytest.fixture(scope="module")
def written(run, dataset, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(explorer_page(run, dataset), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser, written) -> Page:  # noqa: F811
    return Page(browser, written)


@pytest.fixture
def page(opened) -> Iterator[Page]:
    """The page as it opens. In every test it asks for nothing and complains of nothing."""
    opened.tab.reload()
    opened.tab.wait_for_selector("body[data-ready]")
    opened.tab.uncheck("#thumbnails", force=True)
    yield opened
    assert opened.complaints == []
    assert {url.partition(":")[0] for url in opened.requests} <= {"file", "data"}


def test_the_page_decodes_and_encodes_as_numpy_does(page, folded):
    latents = np.random.default_rng(0).normal(0, 3, (200, 2)).astype(np.float32)
    expected = apply_layers(folded.decoder, latents)
    np.testing.assert_allclose(page.computed("explorer.decode", latents), expected, atol=1e-5)

    images = np.random.default_rng(1).random((200, 784)).astype(np.float32)
    expected = apply_layers(folded.encoder, images)
    np.testing.assert_allclose(page.computed("explorer.encode", images), expected, atol=1e-5)


def test_the_distortion_is_the_area_of_the_jacobian(page, folded):
    latents = np.random.default_rng(0).normal(0, 1, (20, 2))
    found = page.value("(latents) => latents.map(explorer.logArea)", latents.tolist())

    step = 1e-6
    columns = []
    for axis in step * np.eye(2):
        after = apply_layers(folded.decoder, latents + axis)
        before = apply_layers(folded.decoder, latents - axis)
        columns.append((after - before) / (2 * step))
    jacobian = np.stack(columns, axis=-1)
    areas = np.linalg.det(jacobian.swapaxes(1, 2) @ jacobian)
    # If a single unit of a layer is active, the area is 0: the page takes 1e-12 for it.
    expected = np.log10(np.maximum(areas, 1e-12)) / 2
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_under_the_mouse_are_the_decoded_and_the_nearest_image(page, run, folded, dataset):
    latents = encode(run, dataset.test.images)
    for x, y in ((0.3, 0.4), (0.6, 0.55), (0.99, 0.02)):
        page.tab.mouse.move(*page.place(x, y))
        cursor = np.array(page.value("explorer.state.cursor"))

        assert (page.pixels("decoded")[..., 3] == 255).all()
        expected = 255 * decoded(folded, cursor[None])[0]
        np.testing.assert_allclose(page.grey("decoded"), expected, atol=0.51)  # whole numbers

        distances = np.linalg.norm(latents - cursor, axis=1)  # both dimensions have one scale here
        nearest = int(re.findall(r"#(\d+)", page.tab.inner_text("#clean-text"))[0])
        np.testing.assert_allclose(distances[nearest], distances.min(), rtol=1e-4)
        np.testing.assert_array_equal(page.grey("clean"), dataset.test.images[nearest, ..., 0])


def test_the_slider_adds_noise_and_the_image_walks(page, folded):
    page.tab.mouse.click(*page.place(0.5, 0.5))
    clean = page.grey("clean")
    page.tab.fill("#std", "0")
    np.testing.assert_array_equal(page.grey("noisy"), clean)
    assert "∞" in page.tab.inner_text("#noisy-text")

    start = page.value("explorer.state.walk")[-1]
    expected = apply_layers(folded.encoder, clean.reshape(1, 784) / 255)[0]
    np.testing.assert_allclose(start, expected, atol=1e-5)

    page.tab.fill("#std", "0.3")
    noisy = page.grey("noisy")
    noise = noisy / 255 - clean / 255
    assert 0.15 < np.std(noise) < 0.3  # clipping takes some of the 0.3
    psnr = -10 * np.log10(np.square(noise).mean())
    np.testing.assert_allclose(float(page.tab.inner_text("#noisy-text").split()[0]), psnr, atol=0.1)

    walk = page.value("explorer.state.walk")
    assert len(walk) > 5
    np.testing.assert_allclose(walk[0], start, atol=1e-6)
    expected = apply_layers(folded.encoder, noisy.reshape(1, 784) / 255)[0]
    np.testing.assert_allclose(walk[-1], expected, atol=0.02)
    denoised = decoded(folded, np.array(walk[-1:]))[0]
    np.testing.assert_allclose(page.grey("denoised"), 255 * denoised, atol=1)

    page.tab.click("#redraw")
    assert (page.grey("noisy") != noisy).any()


def test_the_legend_switches_classes_on_and_off(page, dataset):
    buttons = page.tab.locator("#legend button")
    labels = dataset.test.labels
    names = [text.strip() for text in buttons.all_inner_texts()]
    assert names == [*dataset.class_names, "hide all"]
    assert page.value("explorer.drawing.drawn") == 103

    buttons.nth(2).click()
    assert page.value("explorer.drawing.drawn") == 103 - (labels == 2).sum()
    assert buttons.nth(2).get_attribute("aria-pressed") == "false"

    buttons.nth(5).dblclick()
    assert page.value("explorer.drawing.drawn") == (labels == 5).sum()
    for x, y in ((0.2, 0.2), (0.8, 0.7)):
        page.tab.mouse.move(*page.place(x, y))
        page.value("0")
        assert dataset.class_names[5] in page.tab.inner_text("#clean-text")

    buttons.last.click()
    assert page.value("explorer.drawing.drawn") == 103


def find(page: Page, index: int | str) -> None:
    page.tab.fill("#index", str(index))
    page.tab.click("#find button")


def test_a_persons_own_images_are_all_there_under_the_names_of_their_files(browser, run, tmp_path):  # noqa: F811
    arrays = blobs((28, 28, 1), names=("a", "b", "c"))
    arrays = arrays._replace(name="/my/pictures")
    config = dataclasses.replace(run.config, dataset="/my/pictures")
    named = {
        part: split._replace(
            files=np.array([f"{part}/Ünï {k}.png" for k in range(len(split.images))])
        )
        for part, split in arrays.parts.items()
    }
    own = arrays._replace(train=named["train"], validation=named["validation"], test=named["test"])
    page = open_page(browser, tmp_path, run._replace(config=config), own)
    assert page.value("explorer.drawing.drawn") == 90
    assert "90 images" in page.tab.inner_text("#about")
    held = len(own.validation.images) + len(own.test.images)
    assert f"the {held} with a ring were not trained on" in page.tab.inner_text("#about")

    for wanted, file in (("test/ünï 7.", "test/Ünï 7.png"), ("TRAIN/ünï 5.png", "train/Ünï 5.png")):
        find(page, wanted)
        part = file.partition("/")[0]
        number = int(file.split()[1].partition(".")[0])
        np.testing.assert_array_equal(page.grey("clean"), named[part].images[number, ..., 0])
        told = page.tab.inner_text("#clean-text")
        assert told.startswith(f"{file} · ")
        assert told.endswith("not trained on") == (part == "test")

    find(page, "no such file")
    assert file in page.tab.inner_text("#clean-text")
    assert page.complaints == []


def test_a_line_around_images_lists_them(page, run, dataset):
    """The list, and the CSV that is saved, hold the images inside a triangle and no others."""
    corners = [(0.1, 0.1), (0.1, 0.9), (0.7, 0.9)]
    page.tab.keyboard.down("Shift")
    page.tab.mouse.move(*page.place(*corners[0]))
    page.tab.mouse.down()
    for corner in (*corners[1:], corners[0]):
        page.tab.mouse.move(*page.place(*corner), steps=20)
    page.tab.mouse.up()
    page.tab.keyboard.up("Shift")

    outline = Polygon(page.value("explorer.state.outline"))
    inside = outline.contains_points(encode(run, dataset.test.images))
    assert 0 < inside.sum() < 103
    names = [f"#{number}" for number in np.flatnonzero(inside)]
    assert page.tab.input_value("#selected").split("\n") == names

    with page.tab.expect_download() as download:
        page.tab.click("#save-names")
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert [row["file"] for row in rows] == names
    labels = [dataset.class_names[label] for label in dataset.test.labels[inside]]
    assert [row["label"] for row in rows] == labels
    errors = squared_errors(run, dataset)[inside]
    np.testing.assert_allclose([float(row["error"]) for row in rows], errors, rtol=1e-4)

    page.tab.click("#unselect")
    assert not page.shows("#selection")
    page.requests.clear()  # the download's


def shades(page: Page) -> int:
    """Return the number of opaque greys on the map."""
    pixels = page.pixels("points").reshape(-1, 4)
    grey = (pixels[:, :3] == pixels[:, :1]).all(axis=1) & (pixels[:, 3] == 255)
    return len(np.unique(pixels[grey, 0]))


def test_where_there_is_room_the_map_shows_the_images_themselves(page):
    """Only then it has the images' many shades of grey."""
    for button in ("last-child", "first-child"):  # all classes off, the first one on
        page.tab.click(f"#legend button:{button}")
    as_points = shades(page)
    page.tab.check("#thumbnails", force=True)
    assert shades(page) > as_points + 20


def test_a_map_that_was_hidden_is_the_same_when_it_is_shown(page):
    before = page.value("[explorer.drawing.drawn, explorer.state.view.scaleX]")
    page.value("document.body.style.display = 'none'")
    page.wait_until("document.getElementById('points').width < 10")
    page.value("document.body.style.display = ''")
    page.wait_until("document.getElementById('points').width > 100")
    after = page.value("[explorer.drawing.drawn, explorer.state.view.scaleX]")
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_images_are_found_by_their_number(page, run, dataset):
    find(page, 77)
    expected = encode(run, dataset.test.images)[77]
    np.testing.assert_allclose(page.value("explorer.state.cursor"), expected, atol=1e-5)
    np.testing.assert_array_equal(page.grey("clean"), dataset.test.images[77, ..., 0])

    find(page, 103)
    assert "#77" in page.tab.inner_text("#clean-text")


def test_every_image_can_be_brought_into_view(page):
    inside = """() => {
        const { width, height } = document.getElementById("plane").getBoundingClientRect();
        return Array.from({ length: 103 }, (_, i) => explorer.latents.slice(2 * i, 2 * i + 2))
            .map((latent) => explorer.toScreen(latent))
            .every(([x, y]) => x >= 0 && y >= 0 && x <= width && y <= height);
    }"""
    page.tab.mouse.move(*page.place(0.5, 0.5))
    page.tab.mouse.wheel(0, -1500)
    assert not page.value(inside)
    page.tab.click("#zoom-all")
    page.wait_until(inside)


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves_the_map(page):
    to_screen = "(z) => explorer.toScreen(z)"
    page.tab.mouse.move(*page.place(0.3, 0.3))
    cursor, view = page.value("[explorer.state.cursor, explorer.state.view]")
    before = page.value(to_screen, cursor)

    page.tab.mouse.wheel(0, -300)
    page.wait_until("(scale) => explorer.state.view.scaleX > 1.5 * scale", view["scaleX"])
    np.testing.assert_allclose(page.value(to_screen, cursor), before, atol=1)  # whole pixels

    page.tab.mouse.down()
    page.tab.mouse.move(*page.place(0.4, 0.5), steps=4)
    page.tab.mouse.up()
    moved = np.subtract(page.value(to_screen, cursor), before)
    dragged = np.subtract(page.place(0.4, 0.5), page.place(0.3, 0.3))
    np.testing.assert_allclose(moved, dragged, atol=2)
    assert page.value("explorer.state.chosen") is None  # a drag is not a click


def test_keys_do_what_the_mouse_does(page):
    cursor = "explorer.toScreen(explorer.state.cursor)"
    page.tab.focus("#plane")
    start = page.value(cursor)
    for _ in range(3):
        page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("Shift+ArrowUp")
    np.testing.assert_allclose(np.subtract(page.value(cursor), start), [48, -2], atol=1e-6)

    page.tab.keyboard.press("Enter")
    assert page.value("explorer.state.chosen === explorer.state.nearest")
    page.tab.keyboard.press("Escape")
    assert page.value("explorer.state.chosen") is None

    scale = page.value("explorer.state.view.scaleX")
    page.tab.keyboard.press("+")
    np.testing.assert_allclose(page.value("explorer.state.view.scaleX"), 1.5 * scale)

    page.tab.focus("#tab-noise")
    page.tab.keyboard.press("ArrowRight")
    assert page.shows("#path")


def test_the_path_between_two_places_is_decoded_in_steps(page, folded):
    page.tab.click("#tab-path")
    clicked = [page.place(x, y) for x, y in ((0.2, 0.3), (0.8, 0.6))]
    for place in clicked:
        page.tab.mouse.click(*place)
    start, end = np.array(page.value("explorer.state.ends"))
    shown = page.value("explorer.state.ends.map((end) => explorer.toScreen(end))")
    np.testing.assert_allclose(np.add(shown, page.place(0, 0)), clicked, atol=1)  # whole pixels

    canvases = page.tab.locator("#steps canvas")
    for step, t in ((0, 0.0), (4, 4 / 9), (9, 1.0)):
        canvases.nth(step).evaluate("(canvas) => { canvas.id = 'step'; }")
        expected = decoded(folded, ((1 - t) * start + t * end)[None])[0]
        np.testing.assert_allclose(page.grey("step"), 255 * expected, atol=1)
        canvases.nth(step).evaluate("(canvas) => { canvas.id = ''; }")


def stroke(page: Page, left: float, right: float, *, steps: int) -> None:
    """Draw a horizontal line in the middle of the paper."""
    page.tab.mouse.move(*page.place(left, 0.5, "#paper"))
    page.tab.mouse.down()
    page.tab.mouse.move(*page.place(right, 0.5, "#paper"), steps=steps)
    page.tab.mouse.up()


def test_a_drawing_lands_on_the_map_and_is_scored(page, run, folded, dataset):
    page.tab.click("#tab-sketch")
    assert "empty" in page.tab.inner_text("#verdict")

    stroke(page, 0.2, 0.8, steps=5)
    drawn = page.grey("paper")
    assert (drawn[14, 8:20] > 190).all()  # grey 0.8 of 255
    assert (drawn[:9] == 0).all()
    image = np.array(page.value("[...explorer.paper]"))
    np.testing.assert_allclose(drawn, 255 * image.reshape(28, 28), atol=0.51)

    latent = apply_layers(folded.encoder, image[None])
    np.testing.assert_allclose(page.value("explorer.state.sketch"), latent[0], atol=1e-5)
    output = decoded(folded, latent)[0]
    np.testing.assert_allclose(page.grey("decoded"), 255 * output, atol=1)
    error = np.square(output.ravel() - image).mean()
    share = int(100 * (squared_errors(run, dataset) < error).mean())
    assert f"higher than that of {share} % of the test images" in page.tab.inner_text("#verdict")

    page.tab.check("#sketch input[value=eraser]", force=True)
    page.tab.fill("#brush-width", "6")
    stroke(page, 0.1, 0.9, steps=9)
    assert page.grey("paper")[12:16, 3:25].max() == 0


def test_a_picture_is_opened_and_one_is_dropped(page, dataset):
    first, second = dataset.test.images[3, ..., 0], dataset.test.images[4, ..., 0]

    def open_file(name: str, content: bytes) -> None:
        file = {"name": name, "mimeType": "image/png", "buffer": content}
        page.tab.set_input_files("#file", file)

    page.tab.click("#tab-sketch")
    open_file("a.png", png(first))
    page.wait_until("explorer.state.sketch")
    np.testing.assert_array_equal(page.grey("paper"), first)

    drop = """(text) => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], "b.png", { type: "image/png" }));
        const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new DragEvent("drop", event));
    }"""
    before = page.value("explorer.state.sketch")
    page.value(drop, base64.b64encode(png(second)).decode())
    page.wait_until("(before) => explorer.state.sketch[0] !== before[0]", before)
    np.testing.assert_array_equal(page.grey("paper"), second)

    open_file("<b>.png", b"no picture")
    verdict = "document.getElementById('verdict').textContent"
    page.wait_until(f'{verdict}.startsWith("<b>.png can\'t be read")')


def test_each_layer_is_drawn_behind_the_points(page):
    for layer in ("decoded", "density", "error", "distortion"):
        page.tab.check(f"#layers input[value={layer}]", force=True)
        assert page.pixels("backdrop")[..., 3].max() > 100, layer
        assert page.shows("#bar") == (layer != "decoded")

    page.tab.check("#layers input[value=none]", force=True)
    assert page.pixels("backdrop").max() == 0
    page.tab.uncheck("#dots", force=True)
    assert page.value("explorer.drawing.drawn") == 0


def test_the_page_turns_dark_with_the_reader(page):
    def background() -> int:
        colour = page.value("getComputedStyle(document.body).backgroundColor")
        return int(re.findall(r"\d+", colour)[0])

    assert background() > 200
    bright = page.pixels("points")
    page.tab.emulate_media(color_scheme="dark")
    assert background() < 60
    assert (page.pixels("points") != bright).any()  # the bags are black on white, white on black
    page.tab.emulate_media(color_scheme="light")


def test_fingers_and_a_narrow_screen(browser, written):  # noqa: F811
    width = "document.documentElement.scrollWidth"
    page = Page(browser, written, has_touch=True)
    page.tab.set_viewport_size({"width": 375, "height": 667})
    assert page.value(width) == 375
    page.tab.touchscreen.tap(*page.place(0.5, 0.4))
    assert page.value("explorer.state.chosen === explorer.state.nearest")

    scale = page.value("explorer.state.view.scaleX")
    x, y = page.place(0.5, 0.5)
    send = page.tab.context.new_cdp_session(page.tab).send

    def fingers(kind: str, *apart: float) -> None:
        points = []
        for distance in apart:
            points.append({"x": x - distance, "y": y, "id": 0})
            points.append({"x": x + distance, "y": y, "id": 1})
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 30)
    fingers("touchMove", 60)
    fingers("touchEnd")
    np.testing.assert_allclose(page.value("explorer.state.view.scaleX"), 2 * scale, rtol=0.05)

    for tab in ("path", "sketch", "noise"):
        page.tab.tap(f"#tab-{tab}")
        assert page.value(width) == 375, tab
    assert page.complaints == []


def test_a_click_on_the_mark_of_a_far_image_goes_there(
    browser,  # noqa: F811
    run,
    dataset,
    tmp_path,
):
    """One bright image among dark ones is outside the first view: a triangle marks it."""
    images = dataset.test.images // 16
    images[40] = 255 - images[40]
    far = dataset._replace(test=dataset.test._replace(images=images))
    page = open_page(browser, tmp_path, run, far)

    latents = encode(run, images)
    at_edge = """(z) => {
        const [x, y] = explorer.toScreen(z);
        const plane = document.getElementById("plane");
        const { left, top, width, height } = plane.getBoundingClientRect();
        const inside = x >= 0 && y >= 0 && x <= width && y <= height;
        const shownX = Math.min(Math.max(x, 6), width - 6);
        const shownY = Math.min(Math.max(y, 6), height - 6);
        return [inside, left + shownX, top + shownY];
    }"""
    inside, *place = page.value(at_edge, latents[40].tolist())
    assert not inside
    assert sum(not page.value(at_edge, latent.tolist())[0] for latent in latents) == 1

    page.tab.mouse.click(*place)
    page.wait_until(f"(z) => ({at_edge})(z)[0]", latents[40].tolist())
    np.testing.assert_allclose(page.value("explorer.state.cursor"), latents[40], atol=1e-4)
    np.testing.assert_array_equal(page.grey("clean"), images[40, ..., 0])
    assert page.complaints == []


def test_colour_images_and_hostile_names(browser, tmp_path):  # noqa: F811
    data = blobs((10, 7, 3), names=HOSTILE)
    run = run_with_statistics(widths=(16,), image_shape=(10, 7, 3))
    page = open_page(browser, tmp_path, run, data)

    assert page.tab.title() == "Blobs <i>: jaxae explorer"
    assert page.tab.inner_text("h1") == "Blobs <i> through two numbers"
    assert page.tab.locator("#legend button").all_inner_texts()[:3] == list(HOSTILE)
    assert page.tab.locator("main b:text('bold'), main i i").count() == 0

    find(page, 21)
    np.testing.assert_array_equal(page.pixels("clean")[..., :3], data.test.images[21])
    cursor = np.array([page.value("explorer.state.cursor")])
    expected = apply_layers(fold_batch_norm(run).decoder, cursor).reshape(10, 7, 3)
    np.testing.assert_allclose(page.pixels("decoded")[..., :3], 255 * expected, atol=1)

    assert not page.shows("#colour-field")
    page.tab.click("#tab-sketch")
    assert page.shows("#colour-field")
    assert page.complaints == []


def test_many_points_are_squares_in_the_colour_of_their_class(browser, tmp_path):  # noqa: F811
    rng = np.random.default_rng(0)
    labels = np.arange(3100) % 2
    images = rng.integers(0, 256, (3100, 4, 4, 1), dtype=np.uint8)
    arrays: dict[str, np.ndarray] = {
        "train_images": images[:100],
        "train_labels": labels[:100],
        "test_images": images[100:],
        "test_labels": labels[100:],
    }
    data = split(arrays, name="synthetic", title="Many", class_names=("even", "odd"))
    run = run_with_statistics(widths=(16,), image_shape=(4, 4, 1))
    page = open_page(browser, tmp_path, run, data)
    page.tab.uncheck("#thumbnails", force=True)
    assert 2990 <= page.value("explorer.drawing.drawn") <= 3000  # the others are far away

    page.tab.click("#legend button:first-child")  # the even ones are off
    assert 1490 <= page.value("explorer.drawing.drawn") <= 1500
    odd = encode(run, data.test.images[data.test.labels == 1])
    places = np.array(page.value("(all) => all.map((z) => explorer.toScreen(z))", odd.tolist()))
    shown = page.pixels("points")
    column, row = np.floor(places).astype(int).T
    inside = (column > 10) & (row > 10) & (column < shown.shape[1] - 10)
    inside &= row < shown.shape[0] - 10
    assert inside.sum() > 1400
    found = shown[row[inside], column[inside]].astype(int)
    even_colour, odd_colour = (
        [int(colour[at : at + 2], 16) for at in (1, 3, 5)] + [217]  # 0.85 of 255
        for colour in page_data._colours(2)["light"]
    )
    near = (np.abs(found - odd_colour) <= 2).all(axis=1)  # a canvas keeps premultiplied bytes
    assert near.mean() > 0.98  # triangles of images far away may hide some
    left_over = (np.abs(shown.astype(int) - even_colour) <= 2).all(axis=2)
    assert not left_over.any()  # from the frame before
    assert page.complaints == []


@pytest.mark.parametrize("shape", [(20, 14, 1), (6, 9, 2)])
def test_images_without_labels_and_of_other_channels(
    browser,  # noqa: F811
    tmp_path,
    shape,
    monkeypatch,
):
    monkeypatch.setattr(sheets, "SIDE", 40)  # so that there are several pictures
    data = blobs(shape, names=())
    run = run_with_statistics(widths=(16,), image_shape=shape)
    page = open_page(browser, tmp_path, run, data)

    assert page.tab.locator("#legend").is_hidden()
    found = page.value("[...Array(60).keys()].map((i) => [...explorer.imageOf(i)])")
    np.testing.assert_allclose(found, data.test.images.reshape(60, -1) / 255, atol=1e-7)
    assert page.tab.inner_text("#clean-text").startswith("#")
    assert "differ from" in page.tab.text_content("#accuracy")
    assert "changes the pixels" not in page.tab.text_content("#accuracy")
    assert page.complaints == []


def test_a_latent_space_of_three_dimensions_is_refused_in_one_line(dataset):
    with pytest.raises(InputError, match="latent_dim is 3") as caught:
        explorer_page(run_with_statistics(widths=(8,), latent_dim=3), dataset)
    assert "\n" not in str(caught.value)


def test_numbers_too_large_for_half_precision_stay_in_single_precision(
    browser,  # noqa: F811
    run,
    dataset,
    tmp_path,
):
    variables = copy.deepcopy(run.variables)
    bias = variables["params"]["decoder"]["dense_2"]["bias"]
    bias[:3] = 1e5
    large = run._replace(variables=variables)
    page = open_page(browser, tmp_path, large, dataset)

    latents = np.random.default_rng(0).normal(0, 3, (20, 2)).astype(np.float32)
    expected = apply_layers(fold_batch_norm(large).decoder, latents)
    np.testing.assert_allclose(page.computed("explorer.decode", latents), expected, atol=1e-5)
    assert page.complaints == []


def test_a_large_network_is_inflated_to_what_python_packed(
    browser,  # noqa: F811
    run,
    dataset,
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr(page_weights, "MOST_HALVES", 0)
    monkeypatch.setattr(page_weights, "LARGE", page_weights.NARROW)
    packs = []

    def pack(*given):
        packs.append(page_weights.pack(*given))
        return packs[-1]

    monkeypatch.setattr(page_data, "pack", pack)
    page = open_page(browser, tmp_path, run, dataset)

    latents = np.random.default_rng(0).normal(0, 3, (20, 2)).astype(np.float32)
    decoder = tuple(each.layer for each in packs[0].decoder)
    found = page.computed("explorer.decode", latents)
    np.testing.assert_allclose(found, apply_layers(decoder, latents), atol=1e-5)

    images = np.random.default_rng(1).random((20, 784)).astype(np.float32)
    encoder = tuple(each.layer for each in packs[0].encoder)
    found = page.computed("explorer.encode", images)
    np.testing.assert_allclose(found, apply_layers(encoder, images), atol=1e-5)
    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data"}


def test_a_page_of_a_sample_says_so_and_counts_its_own_rings(browser, run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(page_data, "MOST_PIXELS", 784 * 40)
    own = blobs((28, 28, 1), names=())._replace(name="/my/pictures")
    config = dataclasses.replace(run.config, dataset="/my/pictures")
    page = open_page(browser, tmp_path, run._replace(config=config), own)
    ringed = np.count_nonzero(sample(90, 40) >= len(own.train.images))
    assert page.tab.inner_text("#about") == (
        f"A sample of 40 of 90 images, a point each; the {ringed} with a ring were not trained on"
    )


def test_too_many_pixels_leave_images_out(run, dataset, monkeypatch):
    monkeypatch.setattr(page_data, "MOST_PIXELS", 784 * 40)
    monkeypatch.setattr(page_data, "MOST_BYTES", 1)  # so that the images are compressed too
    data = page_data.page_data(run, dataset, small=False)
    assert "compressed with loss" in data.accuracy
    assert (data.count, data.total) == (40, 103)
    largest = re.search(r"at most ([\d.e-]+),", data.accuracy)
    assert largest
    assert 0 < float(largest[1]) < 0.05  # half precision

    indices = np.frombuffer(base64.b64decode(data.indices), np.int32)
    labels = np.frombuffer(base64.b64decode(data.labels), np.int32)
    assert sorted(indices) == sorted(sample(103, 40))
    np.testing.assert_array_equal(labels, dataset.test.labels[indices])
    assert (np.diff(labels) >= 0).all()

    with Image.open(io.BytesIO(base64.b64decode(data.sheets.pictures[0]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (7 * 28, 6 * 28))


def test_every_part_is_small_and_in_the_page():
    assert {path.stem for path in PARTS.glob("*.js")} == set(MODULES)
    forbidden = re.compile(r"\beval\b|innerHTML|https?:|\bfetch\(")
    for path in PARTS.iterdir():
        text = path.read_text("utf-8")
        assert path.suffix == ".css" or len(text.splitlines()) <= 150, path
        assert path.suffix == ".html" or not forbidden.search(text), path

    imports = re.compile(r'^import .* from "\./(\w+)\.js";$', re.MULTILINE)
    for place, name in enumerate(MODULES):
        needed = imports.findall((PARTS / f"{name}.js").read_text("utf-8"))
        assert set(needed) <= set(MODULES[:place]), f"{name}.js imports a module that follows it"


def test_the_command_writes_the_page(run, dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Source, "load", lambda source, directory: run)
    monkeypatch.setattr(Source, "dataset", lambda source, config: dataset)
    explore.main(Source(run=tmp_path), small=True)
    text = (tmp_path / "explorer.html").read_text("utf-8")
    assert "SYNTHETIC through two numbers" in text
    assert "image/webp" in text
    assert "explorer.html (" in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_of_the_released_run(browser, fashion_mnist, tmp_path):  # noqa: F811
    run = jaxae.load(ROOT / "checkpoints" / "released")
    page = open_page(browser, tmp_path, run, fashion_mnist)
    assert (tmp_path / "explorer.html").stat().st_size < 9e6

    rng = np.random.default_rng(0)
    latents = encode(run, fashion_mnist.test.images)[rng.permutation(10_000)[:200]]
    expected = apply_layers(fold_batch_norm(run).decoder, latents)
    error = np.abs(page.computed("explorer.decode", latents) - expected)
    assert error.max() <= 0.02
    assert error.mean() <= 2e-4

    assert page.value("explorer.drawing.drawn") == 10_000
    find(page, 9999)
    np.testing.assert_array_equal(page.grey("clean"), fashion_mnist.test.images[9999, ..., 0])
    assert page.complaints == []
