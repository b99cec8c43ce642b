"""A real browser for the pages that jaxae writes: Debian's chromium, driven by playwright."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

OPTIONS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The browser, which playwright does not download. Without one the tests are skipped."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install -e '.[test]' brings it"
    )
    for name in ("chromium", "chromium-browser", "google-chrome"):
        chromium = shutil.which(name)
        if chromium:
            break
    else:
        pytest.skip("no browser: apt-get install chromium")

    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield launched
        launched.close()


class Page:
    """A page in the browser, what it complained of, and what it asked the network for."""

    def __init__(
        self,
        browser: Any,
        path: Path,
        *,
        width: int = 1280,
        query: str = "",
        ready: str = "body[data-ready]",
        **options: Any,
    ) -> None:
        viewport = {"width": width, "height": 800}
        self.tab = browser.new_context(viewport=viewport, **options).new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []

        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url[:80]))

        self.tab.goto(path.as_uri() + query)
        self.tab.wait_for_selector(ready)

    def computed(self, function: str, rows: np.ndarray) -> np.ndarray:
        """Return what a JavaScript function makes of each row, an array.

        The rows travel as text, which takes a tenth of the time.
        """
        code = f"""(rows) => JSON.stringify(JSON.parse(rows).map(
            (row) => Array.from({function}(Float32Array.from(row)))))"""
        return np.array(json.loads(self.value(code, json.dumps(rows.tolist()))))

    def value(self, expression: str, argument: Any = None) -> Any:
        """Return the value of a JavaScript expression, after what has changed is drawn."""
        self.tab.evaluate(
            """() => new Promise(
                (done) => requestAnimationFrame(() => requestAnimationFrame(done)))"""
        )
        return self.tab.evaluate(expression, argument)

    def shows(self, selector: str) -> bool:
        """Return whether an element is visible, after what has changed is drawn."""
        self.value("0")
        return self.tab.is_visible(selector)

    def wait_until(self, condition: str, argument: Any = None) -> None:
        """Ask again and again: playwright's own wait evaluates text, which the page forbids."""
        for _ in range(200):
            if self.value(condition, argument):
                return
            self.tab.wait_for_timeout(25)
        raise AssertionError(f"never true: {condition}")

    def pixels(self, canvas: str) -> np.ndarray:
        """Return what a canvas shows, u8[H, W, 4]."""
        code = """(id) => {
            const canvas = document.getElementById(id);
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            const bytes = data.reduce((text, byte) => text + String.fromCharCode(byte), "");
            return [height, width, btoa(bytes)];
        }"""
        height, width, text = self.value(code, canvas)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)

    def grey(self, canvas: str) -> np.ndarray:
        """Return the red channel of a canvas that shows a grey image, u8[H, W]."""
        return self.pixels(canvas)[..., 0]

    def place(self, x: float, y: float, box_of: str = "#plane") -> tuple[float, float]:
        """Return where on the page a share of an element's width and height is."""
        box = self.tab.locator(box_of).bounding_box()
        while not box:  # a busy machine has not laid the page out yet
            self.tab.wait_for_timeout(25)
            box = self.tab.locator(box_of).bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]
