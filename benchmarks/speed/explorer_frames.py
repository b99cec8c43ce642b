"""Drag the explorer's map of 50,000 points in a browser, and time the frames that it shows."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.speed.racers import machine
from jaxae.cli import command
from jaxae.data.load import load_dataset
from jaxae.evaluation.tables import markdown
from jaxae.export import page_data
from jaxae.export.explorer_page import explorer_page
from jaxae.inference import load
from tests.browser import OPTIONS, Page

POINTS = 50_000
TURNS = (0, 35, 50)
"""Turns of the wheel before the map is dragged: all points are in view, some and few."""

RECORD = """() => {
    window.frames = [];
    const note = (now) => {
        frames.push([now, explorer.state.view.x, explorer.state.view.y]);
        requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
}"""


def main(run: Path = Path("checkpoints/released")) -> None:
    """Write the page of a run on Fashion-MNIST, drag its map by the mouse, and print a table.

    Args:
        run: The run. The images are taken as a person's own: those not trained on have a ring.
    """
    dataset = load_dataset("fashion_mnist")
    own = dataset._replace(
        name="/own",
        train=dataset.train.at_most(POINTS - 10_000),
        test=dataset.test.at_most(5_000),
    )
    page_data.MOST_PIXELS = POINTS * 28 * 28
    html = explorer_page(load(run), own)

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "explorer.html"
        path.write_text(html, encoding="utf-8")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        page = Page(driver.chromium.launch(executable_path=chromium, args=OPTIONS), path)
        page.tab.evaluate(RECORD)
        rows = [drag(page, turns) for turns in TURNS]

    print(f"{machine()}, load {os.getloadavg()[0]:.0f}")
    names = ["points in view", "frames", "moved", "median, ms", "95 %, ms", "≤ 17.5 ms"]
    print(markdown(names, rows))


def drag(page: Page, turns: int) -> list[str]:
    """Zoom in, drag the map along a square, and return a row of the table."""
    mouse = page.tab.mouse
    page.tab.click("#zoom-home")
    page.tab.wait_for_timeout(500)  # it flies
    mouse.move(*page.place(0.4, 0.4))
    for _ in range(turns):
        mouse.wheel(0, -30)

    mouse.down()
    page.tab.evaluate("() => { frames.length = 0; }")
    for corner in ((0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4)):
        mouse.move(*page.place(*corner), steps=75)
    frames = np.array(page.tab.evaluate("frames"))
    mouse.up()

    intervals = np.diff(frames[:, 0])
    moved = np.diff(frames[:, 1:], axis=0).any(axis=1)
    drawn = page.value("explorer.drawing.drawn")
    return [
        f"{drawn:,}",
        f"{len(intervals):,}",
        f"{moved.mean():.0%}",
        f"{np.median(intervals):.1f}",
        f"{np.percentile(intervals, 95):.1f}",
        f"{np.mean(intervals <= 17.5):.1%}",
    ]


if __name__ == "__main__":
    command.run(main)
