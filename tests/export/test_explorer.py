"""The explorer in a real browser: its network beside NumPy, its pictures beside the data, and what hands can do with it."""

import base64
import copy
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jaxae
from jaxae.cli import explore
from jaxae.cli.command import Source
from jaxae.data.dataset import Dataset
from jaxae.data.split import split
from jaxae.errors import InputError, silent
from jaxae.export import page_data
from jaxae.export.explorer_page import MODULES, PARTS, explorer_page
from jaxae.export.fold_batch_norm import FoldedModel, fold_batch_norm
from jaxae.inference import Run, encode, reconstruct
from tests import ROOT
from tests.export.test_fold_batch_norm import apply_layers, run_with_statistics

OPTIONS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]
HOSTILE = ("<script>document.title='broken'</script>", "</script><b>bold</b>", "a & b")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, which playwright drives and does not download."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install -e '.[test]' brings it"
    )
    chromium = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not chromium:
        pytest.skip("no browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield launched
        launched.close()


class Page:
    """A page in the browser, what it complained of, and what it asked the network for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.tab = browser.new_context(
            viewport={"width": 1280, "height": 800}, **options
        ).new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url[:80]))
        self.tab.goto(path.as_uri())
        self.tab.wait_for_selector("body[data-ready]")

    def computed(self, function: str, rows: np.ndarray) -> np.ndarray:
        """What a JavaScript function from an array to an array makes of each row; as text, which takes a tenth of the time."""
        code = f"(rows) => JSON.stringify(JSON.parse(rows).map((row) => Array.from({function}(Float32Array.from(row)))))"
        return np.array(json.loads(self.value(code, json.dumps(rows.tolist()))))

    def value(self, expression: str, argument: Any = None) -> Any:
        """What JavaScript says, after what has changed is drawn."""
        self.tab.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        return self.tab.evaluate(expression, argument)

    def shows(self, selector: str) -> bool:
        """Whether an element is visible, after what has changed is drawn."""
        self.value("0")
        return self.tab.is_visible(selector)

    def wait_until(self, condition: str, argument: Any = None) -> None:
        """Asks again and again; playwright's own wait evaluates text in the page, which the page forbids."""
        for _ in range(200):
            if self.value(condition, argument):
                return
            self.tab.wait_for_timeout(25)
        raise AssertionError(f"never true: {condition}")

    def pixels(self, canvas: str) -> np.ndarray:
        """u8[H, W, 4]."""
        code = """(id) => { const canvas = document.getElementById(id);
            const context = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
            return [height, width, btoa(data.reduce((text, byte) => text + String.fromCharCode(byte), ""))]; }"""
        height, width, text = self.value(code, canvas)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)

    def place(self, x: float, y: float, box_of: str = "#plane") -> tuple[float, float]:
        """Where on the page a share of an element's width and height is."""
        while not (
            box := self.tab.locator(box_of).bounding_box()
        ):  # a busy machine has not laid the page out yet
            self.tab.wait_for_timeout(25)
        return box["x"] + x * box["width"], box["y"] + y * box["height"]


def blobs(shape: tuple[int, int, int], *, names: tuple[str, ...]) -> Dataset:
    """Noise of three kinds; without names it has no labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90).astype(np.uint8)
    images = (rng.random((90, *shape)) * (60 + 60 * labels[:, None, None, None])).astype(np.uint8)
    arrays = {"train_images": images[:30], "test_images": images[30:]}
    if names:
        arrays |= {"train_labels": labels[:30], "test_labels": labels[30:]}
    return split(arrays, name="synthetic", title="Blobs <i>", class_names=names)


@pytest.fixture(scope="module")
def run() -> Run:
    return run_with_statistics(widths=(64, 8))


@pytest.fixture(scope="module")
def folded(run) -> FoldedModel:
    return fold_batch_norm(run)


@pytest.fixture(scope="module")
def written(run, dataset, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(explorer_page(run, dataset, weights="f32"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser, written) -> Page:
    return Page(browser, written)


@pytest.fixture
def page(opened) -> Iterator[Page]:
    """The page as it opens. Whatever a test does, it asks for nothing and complains of nothing."""
    opened.tab.reload()
    opened.tab.wait_for_selector("body[data-ready]")
    yield opened
    assert opened.complaints == []
    assert {url.partition(":")[0] for url in opened.requests} <= {"file", "data"}


def test_the_page_decodes_and_encodes_as_numpy_does(page, folded, dataset):
    latents = np.random.default_rng(0).normal(0, 3, (200, 2)).astype(np.float32)
    np.testing.assert_allclose(
        page.computed("explorer.decode", latents), apply_layers(folded.decoder, latents), atol=1e-5
    )
    images = np.random.default_rng(1).random((200, 784)).astype(np.float32)
    np.testing.assert_allclose(
        page.computed("explorer.encode", images), apply_layers(folded.encoder, images), atol=1e-5
    )


def test_the_distortion_is_the_area_of_the_jacobian(page, folded):
    latents, step = np.random.default_rng(0).normal(0, 1, (20, 2)), 1e-6
    found = page.value("(latents) => latents.map(explorer.logArea)", latents.tolist())
    columns = [
        (
            apply_layers(folded.decoder, latents + step * axis)
            - apply_layers(folded.decoder, latents - step * axis)
        )
        / (2 * step)
        for axis in np.eye(2)
    ]
    jacobian = np.stack(columns, axis=-1)
    expected = np.log10(np.linalg.det(jacobian.swapaxes(1, 2) @ jacobian)) / 2
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_under_the_mouse_are_the_decoded_and_the_nearest_image(page, run, folded, dataset):
    for x, y in ((0.3, 0.4), (0.6, 0.55), (0.99, 0.02)):
        page.tab.mouse.move(*page.place(x, y))
        cursor = np.array(page.value("explorer.state.cursor"))
        expected = np.rint(255 * apply_layers(folded.decoder, cursor[None])).reshape(28, 28)
        shown = page.pixels("decoded")
        assert (shown[..., 3] == 255).all()
        np.testing.assert_allclose(
            shown[..., 1], expected, atol=1
        )  # where rounding falls on either side
        distances = np.linalg.norm(
            encode(run, dataset.test.images) - cursor, axis=1
        )  # both dimensions have one scale here
        nearest = int(re.findall(r"#(\d+)", page.tab.inner_text("#clean-text"))[0])
        np.testing.assert_allclose(distances[nearest], distances.min(), rtol=1e-4)
        np.testing.assert_array_equal(
            page.pixels("clean")[..., 0], dataset.test.images[nearest, ..., 0]
        )


def test_the_slider_adds_noise_and_the_image_walks(page, run, folded, dataset):
    page.tab.mouse.click(*page.place(0.5, 0.5))
    clean = page.pixels("clean")[..., 0]
    page.tab.fill("#std", "0")
    np.testing.assert_array_equal(page.pixels("noisy")[..., 0], clean)
    assert "∞" in page.tab.inner_text("#noisy-text")
    start = page.value("explorer.state.walk")[-1]
    np.testing.assert_allclose(
        start, apply_layers(folded.encoder, clean.reshape(1, 784) / 255)[0], atol=1e-5
    )
    page.tab.fill("#std", "0.3")
    noisy = page.pixels("noisy")[..., 0]
    assert 0.15 < np.std(noisy / 255 - clean / 255) < 0.3  # clipping takes some of the 0.3
    psnr = -10 * np.log10(np.square(noisy / 255 - clean / 255).mean())
    np.testing.assert_allclose(float(page.tab.inner_text("#noisy-text").split()[0]), psnr, atol=0.1)
    walk = page.value("explorer.state.walk")
    assert len(walk) > 5
    np.testing.assert_allclose(walk[0], start, atol=1e-6)
    np.testing.assert_allclose(
        walk[-1], apply_layers(folded.encoder, noisy.reshape(1, 784) / 255)[0], atol=0.02
    )
    denoised = apply_layers(folded.decoder, np.array(walk[-1:])).reshape(28, 28)
    np.testing.assert_allclose(page.pixels("denoised")[..., 0], 255 * denoised, atol=1)
    page.tab.click("#redraw")
    assert (page.pixels("noisy")[..., 0] != noisy).any()


def test_the_legend_switches_classes_on_and_off(page, dataset):
    buttons = page.tab.locator("#legend button")
    assert [text.strip() for text in buttons.all_inner_texts()] == [
        *dataset.class_names,
        "hide all",
    ]
    assert page.value("explorer.drawing.drawn") == 103
    buttons.nth(2).click()
    assert page.value("explorer.drawing.drawn") == 103 - (dataset.test.labels == 2).sum()
    assert buttons.nth(2).get_attribute("aria-pressed") == "false"
    buttons.nth(5).dblclick()
    assert page.value("explorer.drawing.drawn") == (dataset.test.labels == 5).sum()
    for x, y in ((0.2, 0.2), (0.8, 0.7)):
        page.tab.mouse.move(*page.place(x, y))
        page.value("0")
        assert dataset.class_names[5] in page.tab.inner_text("#clean-text")
    buttons.last.click()
    assert page.value("explorer.drawing.drawn") == 103


def test_images_are_found_by_their_number(page, run, dataset):
    page.tab.fill("#index", "77")
    page.tab.click("#find button")
    np.testing.assert_allclose(
        page.value("explorer.state.cursor"), encode(run, dataset.test.images)[77], atol=1e-5
    )
    np.testing.assert_array_equal(page.pixels("clean")[..., 0], dataset.test.images[77, ..., 0])
    page.tab.fill("#index", "103")
    page.tab.click("#find button")
    assert "#77" in page.tab.inner_text("#clean-text")


def test_every_image_can_be_brought_into_view(page):
    inside = """() => { const { width, height } = document.getElementById("plane").getBoundingClientRect();
        return Array.from({ length: 103 }, (_, i) => explorer.toScreen(explorer.latents.slice(2 * i, 2 * i + 2)))
            .every(([x, y]) => x >= 0 && y >= 0 && x <= width && y <= height); }"""
    page.tab.mouse.move(*page.place(0.5, 0.5))
    page.tab.mouse.wheel(0, -1500)
    assert not page.value(inside)
    page.tab.click("#zoom-all")
    page.wait_until(inside)


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves_the_map(page):
    page.tab.mouse.move(*page.place(0.3, 0.3))
    cursor, view = page.value("[explorer.state.cursor, explorer.state.view]")
    before = page.value("(z) => explorer.toScreen(z)", cursor)
    page.tab.mouse.wheel(0, -300)
    page.wait_until("(scale) => explorer.state.view.scaleX > 1.5 * scale", view["scaleX"])
    np.testing.assert_allclose(
        page.value("(z) => explorer.toScreen(z)", cursor), before, atol=1
    )  # a wheel has whole pixels
    page.tab.mouse.down()
    page.tab.mouse.move(*page.place(0.4, 0.5), steps=4)
    page.tab.mouse.up()
    moved = np.subtract(page.value("(z) => explorer.toScreen(z)", cursor), before)
    np.testing.assert_allclose(
        moved, np.subtract(page.place(0.4, 0.5), page.place(0.3, 0.3)), atol=2
    )
    assert page.value("explorer.state.chosen") is None  # a drag is no click


def test_keys_do_what_the_mouse_does(page):
    page.tab.focus("#plane")
    start = page.value("explorer.toScreen(explorer.state.cursor)")
    for _ in range(3):
        page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("Shift+ArrowUp")
    np.testing.assert_allclose(
        np.subtract(page.value("explorer.toScreen(explorer.state.cursor)"), start),
        [48, -2],
        atol=1e-6,
    )
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
    ends = page.value("explorer.state.ends")
    shown = page.value("explorer.state.ends.map((end) => explorer.toScreen(end))")
    np.testing.assert_allclose(
        np.add(shown, page.place(0, 0)), clicked, atol=1
    )  # an event has whole pixels
    canvases = page.tab.locator("#steps canvas")
    for step, t in ((0, 0.0), (4, 4 / 9), (9, 1.0)):
        canvases.nth(step).evaluate("(canvas) => { canvas.id = 'step'; }")
        expected = apply_layers(
            folded.decoder, (1 - t) * np.array(ends[:1]) + t * np.array(ends[1:])
        )
        np.testing.assert_allclose(
            page.pixels("step")[..., 0], 255 * expected.reshape(28, 28), atol=1
        )
        canvases.nth(step).evaluate("(canvas) => { canvas.id = ''; }")


def test_a_drawing_lands_on_the_map_and_is_scored(page, run, folded, dataset):
    page.tab.click("#tab-sketch")
    assert "empty" in page.tab.inner_text("#verdict")
    mouse = page.tab.mouse
    mouse.move(*page.place(0.2, 0.5, "#paper"))
    mouse.down()
    mouse.move(*page.place(0.8, 0.5, "#paper"), steps=5)
    mouse.up()
    drawn = page.pixels("paper")[..., 0]
    assert (drawn[14, 8:20] > 190).all()  # grey 0.8 of 255
    assert (drawn[:9] == 0).all()
    image = np.array(page.value("[...explorer.paper]"))
    np.testing.assert_allclose(drawn, 255 * image.reshape(28, 28), atol=0.51)
    latent = apply_layers(folded.encoder, image[None])
    np.testing.assert_allclose(page.value("explorer.state.sketch"), latent[0], atol=1e-5)
    output = apply_layers(folded.decoder, latent)
    np.testing.assert_allclose(page.pixels("decoded")[..., 0], 255 * output.reshape(28, 28), atol=1)
    errors = np.square(reconstruct(run, dataset.test.images) - dataset.test.images / 255).mean(
        axis=(1, 2, 3)
    )
    share = int(100 * (errors < np.square(output - image).mean()).mean())
    assert f"higher than that of {share} % of the test images" in page.tab.inner_text("#verdict")
    page.tab.check("#sketch input[value=eraser]", force=True)
    page.tab.fill("#brush-width", "6")
    mouse.move(*page.place(0.1, 0.5, "#paper"))
    mouse.down()
    mouse.move(*page.place(0.9, 0.5, "#paper"), steps=9)
    mouse.up()
    assert page.pixels("paper")[12:16, 3:25, 0].max() == 0


def test_a_picture_is_opened_and_one_is_dropped(page, dataset):
    def png(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return file.getvalue()

    page.tab.click("#tab-sketch")
    first, second = dataset.test.images[3, ..., 0], dataset.test.images[4, ..., 0]
    page.tab.set_input_files(
        "#file", {"name": "a.png", "mimeType": "image/png", "buffer": png(first)}
    )
    page.wait_until("explorer.state.sketch")
    np.testing.assert_array_equal(page.pixels("paper")[..., 0], first)
    drop = """(text) => { const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], "b.png", { type: "image/png" }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })); }"""
    before = page.value("explorer.state.sketch")
    page.value(drop, base64.b64encode(png(second)).decode())
    page.wait_until("(before) => explorer.state.sketch[0] !== before[0]", before)
    np.testing.assert_array_equal(page.pixels("paper")[..., 0], second)
    page.tab.set_input_files(
        "#file", {"name": "<b>.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.wait_until(
        "document.getElementById('verdict').textContent.startsWith(\"<b>.png can't be read\")"
    )


def test_each_layer_is_drawn_behind_the_points(page):
    for layer in ("decoded", "density", "error", "distortion"):
        page.tab.check(f"#layers input[value={layer}]", force=True)
        drawn = page.pixels("backdrop")[..., 3]
        assert drawn.max() > 100, layer
        assert page.shows("#bar") == (layer != "decoded")
    page.tab.check("#layers input[value=none]", force=True)
    assert page.pixels("backdrop").max() == 0
    page.tab.uncheck("#dots", force=True)
    assert page.value("explorer.drawing.drawn") == 0


def test_the_page_turns_dark_with_the_reader(page):
    def background() -> int:
        return int(
            re.findall(r"\d+", page.value("getComputedStyle(document.body).backgroundColor"))[0]
        )

    assert background() > 200
    bright = page.pixels("points")
    page.tab.emulate_media(color_scheme="dark")
    assert background() < 60
    dark = page.pixels("points")
    assert (dark != bright).any()  # the bags are black on white, and white on black
    page.tab.emulate_media(color_scheme="light")


def test_fingers_and_a_narrow_screen(browser, written):
    page = Page(browser, written, has_touch=True)
    page.tab.set_viewport_size({"width": 375, "height": 667})
    assert page.value("document.documentElement.scrollWidth") == 375
    page.tab.touchscreen.tap(*page.place(0.5, 0.4))
    assert page.value("explorer.state.chosen === explorer.state.nearest")
    scale = page.value("explorer.state.view.scaleX")
    x, y = page.place(0.5, 0.5)
    send = page.tab.context.new_cdp_session(page.tab).send

    def fingers(kind: str, *apart: float) -> None:
        points = [
            {"x": x + side * each, "y": y, "id": int(side > 0)}
            for each in apart
            for side in (-1, 1)
        ]
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 30)
    fingers("touchMove", 60)
    fingers("touchEnd")
    np.testing.assert_allclose(page.value("explorer.state.view.scaleX"), 2 * scale, rtol=0.05)
    for tab in ("path", "sketch", "noise"):
        page.tab.tap(f"#tab-{tab}")
        assert page.value("document.documentElement.scrollWidth") == 375, tab
    assert page.complaints == []


def test_a_click_on_the_mark_of_a_far_image_goes_there(browser, run, dataset, tmp_path):
    """One bright image among dark ones lies outside the first view: a triangle at the edge stands for it."""
    images = dataset.test.images // 16
    images[40] = 255 - images[40]
    far = dataset._replace(test=dataset.test._replace(images=images))
    (tmp_path / "explorer.html").write_text(
        explorer_page(run, far, weights="f32"), encoding="utf-8"
    )
    page = Page(browser, tmp_path / "explorer.html")
    latents = encode(run, images)
    at_edge = """(z) => { const [x, y] = explorer.toScreen(z);
        const { left, top, width, height } = document.getElementById("plane").getBoundingClientRect();
        const inside = x >= 0 && y >= 0 && x <= width && y <= height;
        return [inside, left + Math.min(Math.max(x, 6), width - 6), top + Math.min(Math.max(y, 6), height - 6)]; }"""
    inside, *place = page.value(at_edge, latents[40].tolist())
    assert not inside
    assert sum(not page.value(at_edge, latent.tolist())[0] for latent in latents) == 1
    page.tab.mouse.click(*place)
    page.wait_until(f"(z) => ({at_edge})(z)[0]", latents[40].tolist())
    np.testing.assert_allclose(page.value("explorer.state.cursor"), latents[40], atol=1e-4)
    np.testing.assert_array_equal(page.pixels("clean")[..., 0], images[40, ..., 0])
    assert page.complaints == []


def test_colour_images_and_hostile_names(browser, tmp_path):
    data = blobs((10, 7, 3), names=HOSTILE)
    run = run_with_statistics(widths=(16,), image_shape=(10, 7, 3))
    (tmp_path / "explorer.html").write_text(explorer_page(run, data), encoding="utf-8")
    page = Page(browser, tmp_path / "explorer.html")
    assert page.tab.title() == "Blobs <i>: jaxae explorer"
    assert page.tab.inner_text("h1") == "Blobs <i> through two numbers"
    assert page.tab.locator("#legend button").all_inner_texts()[:3] == list(HOSTILE)
    assert page.tab.locator("main b:text('bold'), main i i").count() == 0
    page.tab.fill("#index", "21")
    page.tab.click("#find button")
    np.testing.assert_array_equal(page.pixels("clean")[..., :3], data.test.images[21])
    cursor = page.value("explorer.state.cursor")
    decoded = apply_layers(fold_batch_norm(run).decoder, np.array([cursor])).reshape(10, 7, 3)
    np.testing.assert_allclose(
        page.pixels("decoded")[..., :3], 255 * decoded, atol=2
    )  # half-precision weights
    assert not page.shows("#colour-field")
    page.tab.click("#tab-sketch")
    assert page.shows("#colour-field")
    assert page.complaints == []


@pytest.mark.parametrize("shape", [(20, 14, 1), (6, 9, 2)])
def test_images_without_labels_and_of_other_channels(browser, tmp_path, shape, monkeypatch):
    monkeypatch.setattr(page_data, "SIDE", 40)  # so that there are several pictures
    data = blobs(shape, names=())
    run = run_with_statistics(widths=(16,), image_shape=shape)
    (tmp_path / "explorer.html").write_text(explorer_page(run, data), encoding="utf-8")
    page = Page(browser, tmp_path / "explorer.html")
    assert page.tab.locator("#legend").is_hidden()
    found = page.value("[...Array(60).keys()].map((i) => [...explorer.imageOf(i)])")
    np.testing.assert_allclose(found, data.test.images.reshape(60, -1) / 255, atol=1e-7)
    assert page.tab.inner_text("#clean-text").startswith("#")
    assert "differ from" in page.tab.text_content("#accuracy")
    assert "changes the pixels" not in page.tab.text_content("#accuracy")
    assert page.complaints == []


def test_what_cannot_be_explored_is_refused_in_one_line(run, dataset):
    with pytest.raises(InputError, match="latent_dim is 3") as caught:
        explorer_page(run_with_statistics(widths=(8,), latent_dim=3), dataset)
    assert "\n" not in str(caught.value)
    variables = copy.deepcopy(run.variables)
    variables["params"]["decoder"]["dense_8"]["bias"][:] = 1e5
    with pytest.raises(InputError, match="100000, too large for f16: give --weights f32"):
        explorer_page(run._replace(variables=variables), dataset)


def test_too_many_pixels_leave_the_last_images_out(run, dataset, monkeypatch):
    monkeypatch.setattr(page_data, "MOST_PIXELS", 784 * 40)
    data = page_data.page_data(run, dataset, weights="f16", small=True)
    assert (data["count"], data["total"]) == (40, 103)
    indices = np.frombuffer(base64.b64decode(data["indices"]), np.int32)
    labels = np.frombuffer(base64.b64decode(data["labels"]), np.int32)
    assert sorted(indices) == list(range(40))
    np.testing.assert_array_equal(labels, dataset.test.labels[indices])
    assert (np.diff(labels) >= 0).all()
    with Image.open(io.BytesIO(base64.b64decode(data["sheets"]["pictures"][0]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (7 * 28, 6 * 28))


def test_every_part_is_small_and_in_the_page():
    assert {path.stem for path in PARTS.glob("*.js")} == set(MODULES)
    for path in PARTS.iterdir():
        lines = path.read_text("utf-8").splitlines()
        assert path.suffix == ".css" or len(lines) <= 150, path
        assert path.suffix == ".html" or not re.search(
            r"\beval\b|innerHTML|https?:|\bfetch\(", path.read_text("utf-8")
        ), path
    for place, name in enumerate(MODULES):
        needed = re.findall(
            r'^import .* from "\./(\w+)\.js";$',
            (PARTS / f"{name}.js").read_text("utf-8"),
            re.MULTILINE,
        )
        assert set(needed) <= set(MODULES[:place]), f"{name}.js imports what stands behind it"


def test_the_command_writes_the_page(run, dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(explore, "load", lambda directory: run)
    monkeypatch.setattr(Source, "dataset", lambda source, config: dataset)
    explore.main(Source(run=tmp_path), small=True)
    text = (tmp_path / "explorer.html").read_text("utf-8")
    assert "SYNTHETIC through two numbers" in text
    assert "image/webp" in text
    assert "explorer.html (" in capsys.readouterr().err


@pytest.mark.slow
def test_the_released_run_in_half_precision(browser, real_files, tmp_path):
    run = jaxae.load(ROOT / "checkpoints" / "released")
    data = jaxae.load_dataset(
        "fashion_mnist", manual_dir=real_files, data_dir=tmp_path, report=silent
    )
    path = tmp_path / "explorer.html"
    path.write_text(explorer_page(run, data), encoding="utf-8")
    assert path.stat().st_size < 9e6
    page = Page(browser, path)
    rng = np.random.default_rng(0)
    latents = encode(run, data.test.images)[rng.permutation(10_000)[:200]]
    error = np.abs(
        page.computed("explorer.decode", latents)
        - apply_layers(fold_batch_norm(run).decoder, latents)
    )
    assert error.max() <= 0.02
    assert error.mean() <= 2e-4
    assert page.value("explorer.drawing.drawn") == 10_000
    page.tab.fill("#index", "9999")
    page.tab.click("#find button")
    np.testing.assert_array_equal(page.pixels("clean")[..., 0], data.test.images[9999, ..., 0])
    assert page.complaints == []
