"""The report: its numbers against NumPy, and its files against each other."""

import dataclasses
import json
import os
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import jaxae
from jaxae.cli import command, report, train
from jaxae.cli.options import Source
from jaxae.config import GROUPS, Config
from jaxae.data.dataset import sample
from jaxae.errors import InputError, silent
from jaxae.evaluation.latent_scorecard import score_latent
from jaxae.evaluation.records import Curve, NoiseCurve, write_record
from jaxae.export.explorer_page import explorer_page
from jaxae.report import results, sheets
from jaxae.report.about import recipe, train_command
from jaxae.report.agreement import Check, check_agreement
from jaxae.report.facts import Facts, gather
from jaxae.report.page import Described, report_page
from jaxae.runs import metrics_log
from tests.browser import browser  # noqa: F401 - a fixture
from tests.helpers import ABOUT

CONFIG = Config(dataset="synthetic", epochs=2, batch_size=64, learning_rate=3e-3, widths=(64, 16))
HOSTILE = "</script><script>document.title='broken'</script>"


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory) -> Path:
    """A run of two epochs, evaluated and scored."""
    place = tmp_path_factory.mktemp("report") / "run-SYNTHETIC"
    run = jaxae.fit(CONFIG, dataset, run_dir=place, report=silent)
    write_record(place / "evaluation.json", jaxae.evaluate(run, dataset))
    write_record(place / "latent_scorecard.json", score_latent(run, dataset))
    return place


def facts_of(place, dataset):
    return gather(place, jaxae.load(place), dataset)


@pytest.fixture(scope="module")
def facts(trained, dataset) -> Facts:
    return facts_of(trained, dataset)


def noise_curve(facts: Facts) -> NoiseCurve:
    """The curve of 20 test images at two levels, computed by NumPy."""
    chosen = sample(len(facts.dataset.test.images), 20)
    clean = facts.dataset.test.images[chosen] / np.float32(255)
    levels = (0.1, 0.25)
    mse = []
    for std in levels:
        output = jaxae.reconstruct(facts.run, jaxae.corrupt(clean, std=std, indices=chosen))
        mse.append((float(np.square(output - clean).mean(dtype=np.float64)),))

    return NoiseCurve(
        about=dataclasses.replace(
            ABOUT, checkpoint_epoch=facts.run.epoch, data_sha256=facts.dataset.digest
        ),
        images=20,
        draws=1,
        trained_noise=(0.25, 0.25),
        levels=levels,
        ours=Curve(mse=tuple(mse), psnr=((20.0,), (None,)), ssim=((0.5,), (0.5,))),
        rivals={},
        break_even=None,
        unseen={},
    )


def test_published_rows_have_notes_that_name_their_sources(facts):
    about = dataclasses.replace(facts.scorecard.about, dataset="fashion_mnist")
    scorecard = dataclasses.replace(facts.scorecard, about=about)
    words = Words(results.latent_space(facts._replace(scorecard=scorecard)))
    noted = {cell[-3:] for cell in words.cells if re.search(r" \[\d\]$", cell)}
    sources = {cell[:3] for cell in words.cells if re.match(r"\[\d\] ", cell)}
    assert noted == sources
    assert len(sources) > 1

    words = Words(results.latent_space(facts))
    assert "jaxae" in words.cells  # without a note
    assert not any(cell.startswith("[0]") for cell in words.cells)


def test_what_differs_from_the_default_recipe_is_highlighted(facts):
    rows = re.findall("<tr(.*?)><th[^>]*>(.*?)</th>", recipe(facts))
    highlighted = {name for style, name in rows if "ours" in style}
    changed = {"epochs", "batch_size", "learning_rate", "widths"}  # as in CONFIG
    assert highlighted == changed | {"dataset", "matmul_dtype"}  # which are auto by default


@pytest.fixture
def copied(trained, facts, tmp_path, monkeypatch) -> Path:
    """A copy to change files in, with a curve over noise levels.

    The model stays, and is not evaluated again.
    """
    place = Path(shutil.copytree(trained, tmp_path / trained.name))
    write_record(place / "noise_curve.json", noise_curve(facts))
    monkeypatch.setattr("jaxae.report.facts.evaluate", lambda *_, **__: facts.evaluation)
    return place


def draw_little(patch: pytest.MonkeyPatch, *, figures: int) -> None:
    """Shorten a report: each figure and each whole sheet takes a second."""
    patch.setattr(results, "FIGURES", results.FIGURES[:figures])
    patch.setattr(sheets, "SHOWN", 2)
    patch.setattr(sheets, "COLUMNS", 1)


@pytest.fixture(scope="module")
def pages(trained, facts, dataset, tmp_path_factory) -> tuple[str, str, list[Described]]:
    """The report of one run with a hostile class name, of two runs, and these two."""
    other = tmp_path_factory.mktemp("report") / "other-SYNTHETIC"
    config = replace(CONFIG, seed=1, early_stop_patience=7)  # of the same programs
    jaxae.fit(config, dataset, run_dir=other, report=silent)
    both = [
        Described(facts, [Check("A claim", "compared " * 40)]),
        Described(facts_of(other, dataset), []),
    ]

    (_, first), *others = facts.evaluation.classes.items()
    hostile_names = (HOSTILE, *dataset.class_names[1:])
    hostile = facts._replace(
        place=Path(os.fsdecode(b"caf\xe9")),
        dataset=dataset._replace(class_names=hostile_names),
        evaluation=dataclasses.replace(facts.evaluation, classes={HOSTILE: first, **dict(others)}),
    )
    one = Described(hostile, both[0].checks)

    with pytest.MonkeyPatch.context() as patch:
        draw_little(patch, figures=2)
        return report_page([one]), report_page(both), both


class Words(HTMLParser):
    """The text of a page, cell by cell, and what it refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.cells.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]

    def after(self, cell: str, count: int) -> list[str]:
        """The cells that follow one."""
        start = self.cells.index(cell) + 1
        return self.cells[start : start + count]


def test_the_page_has_the_numbers_that_numpy_computes_and_asks_for_nothing(pages, trained, dataset):
    words = Words(pages[0])
    run = jaxae.load(trained)
    clean = dataset.test.images.astype(np.float64) / 255
    noisy = jaxae.corrupt(dataset.test.images, std=0.25)
    outputs = (jaxae.reconstruct(run, noisy), jaxae.reconstruct(run, dataset.test.images), noisy)
    for images in outputs:
        assert f"{np.square(images - clean).mean():.5f}" in words.cells

    spread = np.square(clean - dataset.train.images.mean(axis=0, dtype=np.float64) / 255).mean()
    share = 1 - np.square(outputs[1] - clean).mean() / spread
    assert f"Two numbers an image explain {share:.0%} of the variance" in pages[0]

    ssim = pages[2][0].facts.evaluation.noisy.ssim_mean
    assert words.after("SSIM", 1) == [f"{ssim:.3f}"]  # the first of them is the one at a glance
    assert HOSTILE in words.cells
    assert "script" not in words.tags
    assert dataset.digest in words.cells
    assert "A claim" in words.cells
    kinds = {each.partition(",")[0] for each in words.references if not each.startswith("#")}
    assert kinds == {"data:", "data:image/png;base64"}
    assert words.tags.count("img") == 6
    (heading,) = re.findall("<h1>(.*?)</h1>", pages[0])
    assert "SYNTHETIC" in heading
    assert r"caf\xe9" in heading  # of a folder whose name is not UTF-8, as the page is


def test_two_runs_are_next_to_each_other_with_what_differs(pages):
    words = Words(pages[1])
    assert words.after("early_stop_patience", 2) == [str(CONFIG.early_stop_patience), "7"]
    assert "Not scored: jaxae score RUN does." in words.cells
    a, b = (run.facts.evaluation.noisy.mse for run in pages[2])
    assert words.after("MSE, noisy input", 3) == [f"{a:.5f}", f"{b:.5f}", f"{b - a:.5f}"]


def test_other_methods_are_shown_at_the_noise_level_that_is_nearest(facts):
    curve = noise_curve(facts)
    other = Curve(mse=((0.9,), (0.04,)), psnr=((1.0,), (14.0,)), ssim=((0.1,), (0.25,)))
    curve = dataclasses.replace(curve, rivals={"pca": other})
    words = Words(results.quality(facts._replace(curve=curve)))
    assert "Other methods at noise 0.25" in words.cells
    assert words.after("jaxae", 3) == [f"{curve.ours.mse[1][0]:.5f}", "inf dB", "0.500"]
    assert words.after("PCA-2", 3) == ["0.04000", "14.00 dB", "0.250"]


def test_whole_runs_agree(copied, dataset):
    found = " ".join(check.found for check in check_agreement(facts_of(copied, dataset)))
    assert "104 in evaluation.json, 1 in latent_scorecard.json, 2 in noise_curve.json" in found
    lowest = min(row["validation_loss"] for row in metrics_log.read(copied))
    assert f"validation loss {lowest:.5f}" in found


def edited(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


EDITS = [
    (
        "evaluation.json",
        lambda e: e["about"].update(checkpoint_epoch=7),
        "checkpoint_epoch 7, and the checkpoint's epoch is",
    ),
    (
        "evaluation.json",
        lambda e: e["about"].update(data_sha256="f00"),
        "data_sha256 f00, and the data have",
    ),
    ("evaluation.json", lambda e: e["noisy"].update(mse=0.0123), "noisy.mse is 0.0123"),
    (
        "evaluation.json",
        lambda e: next(iter(e["classes"].values())).update(images=3),
        "classes.*.images is 3",
    ),
    ("evaluation.json", lambda e: e.pop("noisy"), "is damaged"),
    (
        "latent_scorecard.json",
        lambda e: e["ours"].update(mse=0.0123),
        "the MSE of clean images is 0.0123",
    ),
    ("latent_scorecard.json", lambda e: e.update(ours=3), "is damaged"),
    ("latent_scorecard.json", lambda e: e["ours"].update(knn_5="high"), "is damaged"),
    (
        "noise_curve.json",
        lambda e: e["ours"]["mse"][1].__setitem__(0, 0.5),
        "the MSE at noise 0.25 is 0.5",
    ),
    ("noise_curve.json", lambda e: e.update(images="all"), "is damaged"),
    ("noise_curve.json", lambda e: e["ours"]["psnr"].pop(), "is damaged"),
    ("environment.json", lambda e: e.update(data_sha256="f00"), "data_sha256 f00"),
    ("environment.json", lambda e: e.update(versions=3), "is damaged"),
]


@pytest.mark.parametrize(("name", "change", "words"), EDITS)
def test_files_that_disagree_or_are_damaged_are_named(copied, dataset, name, change, words):
    edited(copied / name, change)
    with pytest.raises(InputError, match=words) as refused:
        check_agreement(facts_of(copied, dataset))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_a_log_of_another_epoch_is_named(copied, dataset):
    path = copied / "metrics.jsonl"
    text = path.read_text()
    third = text.splitlines()[0].replace("1", "3", 1)
    path.write_text(text.replace('"best": true', '"best": false', 2) + third)
    with pytest.raises(InputError, match=r"metrics\.jsonl says"):
        check_agreement(facts_of(copied, dataset))


def test_an_explorer_of_another_epoch_is_named(copied, facts, dataset):
    path = copied / "explorer.html"
    path.write_text(explorer_page(facts.run, dataset), "utf-8")
    check_agreement(facts_of(copied, dataset))

    path.write_text(explorer_page(facts.run._replace(epoch=9), dataset), "utf-8")
    with pytest.raises(InputError, match=r"explorer\.html says checkpoint_epoch 9"):
        check_agreement(facts_of(copied, dataset))

    path.write_text("<p>Weights: epoch 9.</p>")
    with pytest.raises(InputError, match=r"explorer\.html does not name its checkpoint's epoch"):
        facts_of(copied, dataset)


def test_exports_that_have_changed_are_named(copied, facts, dataset):
    about = {"checkpoint_epoch": facts.run.epoch, "data_sha256": dataset.digest}
    manifest = {"about": about, "files": {"denoiser.onnx": {"sha256": "0"}}}
    (copied / "export").mkdir()
    (copied / "export" / "denoiser.onnx").write_text("graph")
    (copied / "export" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"denoiser\.onnx is missing, or not what"):
        check_agreement(facts_of(copied, dataset))


@pytest.mark.parametrize("name", ["evaluation.json", "environment.json", "export/manifest.json"])
def test_files_without_json_are_named(copied, dataset, name):
    (copied / "export").mkdir()
    (copied / name).write_text("{")
    with pytest.raises(InputError, match=f"{name} is damaged"):
        facts_of(copied, dataset)


def test_the_command_trains_the_recipe(monkeypatch):
    config = Config(
        dataset="a folder",
        epochs=7,
        noise_range=(0.0, 0.4),
        skip_damaged=True,
        widths=(32, 8),
        split=(0.5, 0.25, 0.25),
    )
    words = shlex.split(train_command(config))[2:]
    monkeypatch.setattr("sys.argv", ["jaxae train", *words])
    given = command.parse(train.main).keywords.values()
    assert train.join_groups([each for each in given if isinstance(each, GROUPS)]) == config


def test_the_command_writes_the_page_or_the_comparison(copied, dataset, monkeypatch, capsys):
    monkeypatch.setattr(Source, "dataset", lambda source, config: dataset)
    draw_little(monkeypatch, figures=0)
    (copied / "noise_curve.json").unlink()

    report.main(report.OneOrTwo(run=copied))
    page = (copied / "report.html").read_text()
    assert "Files of results are what the model gives" in page
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"Wrote {copied / 'report.html'}")

    report.main(report.OneOrTwo(run=copied, other=(copied,)))
    assert (copied / "comparison.html").is_file()
    assert (copied / "report.html").read_text() == page
    with pytest.raises(InputError, match="3 runs are given"):
        report.main(report.OneOrTwo(run=copied, other=(copied, copied)))


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (838, "dark"), (1400, "light")])
def test_it_opens_in_a_browser(browser, pages, tmp_path, width, scheme):  # noqa: F811
    path = tmp_path / "report.html"
    path.write_text(pages[1])
    viewport = {"width": width, "height": 800}
    tab = browser.new_context(viewport=viewport, color_scheme=scheme).new_page()
    heard: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("request", lambda request: requests.append(request.url))

    tab.goto(path.as_uri())
    assert heard == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    # Tables scroll by themselves.
    assert tab.evaluate("document.documentElement.scrollWidth") == width

    ink, paper = (
        tab.evaluate(f"getComputedStyle(document.body).{each}")
        for each in ("color", "backgroundColor")
    )
    dark = [sum(map(int, re.findall(r"\d+", each))) < 382 for each in (ink, paper)]
    assert dark == ([False, True] if scheme == "dark" else [True, False])
    assert tab.evaluate("[...document.images].every((image) => image.naturalWidth > 500)")
    tab.context.close()
