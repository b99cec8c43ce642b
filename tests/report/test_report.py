"""The report: its numbers beside NumPy, its checks with what they watch for broken, its files set against each other."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import tyro

import jaxae
from jaxae.cli import report, train
from jaxae.cli.command import Source
from jaxae.config import Config
from jaxae.data.dataset import Split
from jaxae.errors import InputError, silent
from jaxae.evaluation.latent_scorecard import score_latent
from jaxae.evaluation.metrics import psnr
from jaxae.evaluation.records import Curve, NoiseCurve, write_record
from jaxae.report import agreement, results
from jaxae.report.about import train_command
from jaxae.report.agreement import check_agreement
from jaxae.report.facts import Facts, gather
from jaxae.report.page import Described, report_page
from jaxae.report.promises import Check, check_splits, check_test_untouched, check_training_step
from tests.export.test_explorer import browser  # noqa: F401 - a fixture

HOSTILE = "</script><script>document.title='broken'</script>"


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory) -> Path:
    """A run of two epochs, evaluated and scored."""
    place = tmp_path_factory.mktemp("report") / "run-SYNTHETIC"
    config = Config(dataset="synthetic", epochs=2, batch_size=50, widths=(16,))
    run = jaxae.fit(config, dataset, run_dir=place, report=silent)
    write_record(place / "evaluation.json", jaxae.evaluate(run, dataset))
    write_record(place / "latent_scorecard.json", score_latent(run, dataset))
    return place


def facts_of(place, dataset):
    return gather(place, jaxae.load(place), dataset)


@pytest.fixture(scope="module")
def facts(trained, dataset) -> Facts:
    return facts_of(trained, dataset)


@pytest.fixture
def copied(trained, facts, tmp_path, monkeypatch) -> Path:
    """A copy to change files in, with a curve over noise levels; the model stays, and is not evaluated again."""
    place = Path(shutil.copytree(trained, tmp_path / trained.name))
    clean = facts.dataset.test.images[:20] / np.float32(255)
    noisy = [jaxae.corrupt(clean, std=std) for std in (0.1, 0.25)]
    mse = tuple(
        (float(np.square(jaxae.reconstruct(facts.run, each) - clean).mean(dtype=np.float64)),)
        for each in noisy
    )
    curve = NoiseCurve(
        about=replace(facts.evaluation.about, split="test, the first 20 images"),
        images=20,
        draws=1,
        trained_noise=(0.25, 0.25),
        levels=(0.1, 0.25),
        ours=Curve(mse=mse, psnr=psnr(np.array(mse)).tolist(), ssim=((0.5,), (0.4,))),
        rivals={},
        break_even=None,
        unseen={},
    )
    write_record(place / "noise_curve.json", curve)
    monkeypatch.setattr("jaxae.report.facts.evaluate", lambda *_, **__: facts.evaluation)
    return place


@pytest.fixture(scope="module")
def pages(trained, facts, dataset, tmp_path_factory) -> tuple[str, str, list[Described]]:
    """The report of one run with a hostile class name, of two runs, and these two."""
    other = tmp_path_factory.mktemp("report") / "other-SYNTHETIC"
    config = Config(dataset="synthetic", epochs=1, batch_size=50, widths=(16,), learning_rate=0.002)
    jaxae.fit(config, dataset, run_dir=other, report=silent)
    both = [
        Described(facts, [Check("A promise", "kept " * 40, True)]),
        Described(facts_of(other, dataset), []),
    ]
    (_, row), *others = facts.evaluation.classes.items()
    evaluation = replace(facts.evaluation, classes={HOSTILE: row, **dict(others)})
    hostile = facts._replace(
        dataset=dataset._replace(class_names=(HOSTILE, *dataset.class_names[1:])),
        evaluation=evaluation,
    )
    one = Described(hostile, both[0].checks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "FIGURES", results.FIGURES[:2])  # of which each takes a second
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


def test_the_page_has_the_numbers_that_numpy_computes_and_asks_for_nothing(pages, trained, dataset):
    words = Words(pages[0])
    run, clean = jaxae.load(trained), dataset.test.images.astype(np.float64) / 255
    noisy = jaxae.corrupt(dataset.test.images, std=0.25)
    for images in (
        jaxae.reconstruct(run, noisy),
        jaxae.reconstruct(run, dataset.test.images),
        noisy,
    ):
        assert f"{np.square(images - clean).mean():.5f}" in words.cells
    assert HOSTILE in words.cells
    assert "script" not in words.tags
    assert dataset.digest in words.cells
    assert {each.partition(",")[0] for each in words.references if not each.startswith("#")} == {
        "data:",
        "data:image/png;base64",
    }
    assert words.tags.count("img") == 3
    assert "SYNTHETIC" in next(iter(re.findall("<h1>(.*?)</h1>", pages[0])))
    assert "1 of 1" in words.cells


def test_two_runs_stand_side_by_side_with_what_differs(pages):
    words = Words(pages[1]).cells
    assert words[words.index("learning_rate") + 1 : words.index("learning_rate") + 3] == [
        "0.001",
        "0.002",
    ]
    assert "Not scored: jaxae score RUN does." in words
    a, b = (each.facts.evaluation.noisy.mse for each in pages[2])
    at = words.index("MSE, noisy input")
    assert words[at + 1 : at + 4] == [f"{a:.5f}", f"{b:.5f}", f"{b - a:.5f}"]


def test_whole_runs_agree(copied, dataset):
    checks = check_agreement(facts_of(copied, dataset))
    assert [check.promise for check in checks if not check.holds] == []
    assert any(
        "104 in evaluation.json, 1 in latent_scorecard.json, 2 in noise_curve.json" in check.found
        for check in checks
    )


def edited(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "evaluation.json",
            lambda e: e["about"].update(checkpoint_epoch=7),
            "checkpoint_epoch 7, and the best checkpoint's epoch is",
        ),
        (
            "evaluation.json",
            lambda e: e["about"].update(data_sha256="f00"),
            "data_sha256 f00, and the data have",
        ),
        (
            "evaluation.json",
            lambda e: e["noisy"].update(mse=0.0123),
            "mse of noisy is 0.0123",
        ),
        (
            "evaluation.json",
            lambda e: next(iter(e["classes"].values())).update(images=3),
            "images of .* is 3",
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
        ("environment.json", lambda e: e.update(data_sha256="f00"), "data_sha256 f00"),
    ],
)
def test_files_that_disagree_are_named(copied, dataset, name, change, words):
    edited(copied / name, change)
    with pytest.raises(InputError, match=words) as refused:
        check_agreement(facts_of(copied, dataset))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_a_log_an_explorer_or_exports_of_another_epoch_are_named(copied, dataset):
    text = (copied / "metrics.jsonl").read_text()
    (copied / "metrics.jsonl").write_text(
        text.replace('"best": true', '"best": false', 2) + text.splitlines()[0].replace("1", "3", 1)
    )
    with pytest.raises(InputError, match=r"metrics\.jsonl says"):
        check_agreement(facts_of(copied, dataset))
    (copied / "metrics.jsonl").write_text(text)
    (copied / "explorer.html").write_text("<p>Weights: epoch 9.</p>")
    with pytest.raises(InputError, match=r"explorer\.html says epoch 9"):
        check_agreement(facts_of(copied, dataset))
    (copied / "explorer.html").unlink()
    (copied / "export").mkdir()
    (copied / "export" / "denoiser.onnx").write_text("graph")
    (copied / "export" / "manifest.json").write_text(
        '{"files": {"denoiser.onnx": {"sha256": "0"}}}'
    )
    with pytest.raises(InputError, match=r"denoiser\.onnx is missing, or not what"):
        check_agreement(facts_of(copied, dataset))
    (copied / "evaluation.json").write_text("{")
    with pytest.raises(InputError, match=r"evaluation\.json is damaged"):
        facts_of(copied, dataset)


@pytest.mark.parametrize(
    ("name", "change", "section"),
    [
        ("environment.json", lambda e: e.update(versions=3), "What was trained, and on what"),
    ],
)
def test_a_section_that_a_damaged_file_spoils_is_named(
    copied, dataset, name, change, section, monkeypatch
):
    monkeypatch.setattr(results, "FIGURES", ())
    if name != "noise_curve.json":
        (copied / "noise_curve.json").unlink()
    edited(copied / name, change)
    with pytest.raises(InputError, match=f"{section} can't be written from the files of"):
        report_page([Described(facts_of(copied, dataset), [])])


def test_promises_hold_and_are_seen_where_they_do_not(trained, dataset, monkeypatch):
    run = jaxae.load(trained)
    ranged = run._replace(config=Config(dataset="synthetic", noise_range=(0.1, 0.6)))
    checks = [
        *check_training_step(run, dataset),
        *check_training_step(ranged, dataset),
        check_splits(dataset),
    ]
    checks += [check_test_untouched(run, dataset)]
    assert [check for check in checks if not check.holds] == []
    with monkeypatch.context() as patch:
        patch.setattr(
            "jaxae.core.step.add_training_noise", lambda key, stream, step, clean, noise: clean
        )
        assert [check.holds for check in check_training_step(run, dataset)] == [False, True]
    with monkeypatch.context() as patch:
        patch.setattr(
            "jaxae.core.step.reconstruction_loss", lambda output, target: jnp.zeros(len(output))
        )
        assert [check.holds for check in check_training_step(run, dataset)] == [True, False]
    leaked = np.concatenate([dataset.train.images, dataset.test.images[3:5]])
    found = check_splits(dataset._replace(train=Split(leaked)))
    assert (found.holds, found.found[:2]) == (False, "2 ")
    for peek in (
        lambda data: data.test.images[0],
        lambda data: data.test.images.mean(),
        lambda data: np.asarray(data.test.labels),
    ):
        with monkeypatch.context() as patch:
            patch.setattr("jaxae.train.loop.check_data", lambda config, data, peek=peek: peek(data))
            assert not check_test_untouched(run, dataset).holds


def test_another_psnr_or_ssim_is_seen(facts, monkeypatch):
    for name in ("image_psnr", "ssim"):
        true = getattr(agreement, name)
        with monkeypatch.context() as patch:
            patch.setattr(
                agreement, name, lambda output, target, true=true: true(output, target) * 1.0001
            )
            assert sum(not check.holds for check in check_agreement(facts)) == 1


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
    assert tyro.cli(train.recipe(), args=words, config=(tyro.conf.OmitArgPrefixes,)) == config


def test_the_command_writes_the_page_and_fails_where_a_promise_is_broken(
    copied, dataset, monkeypatch, capsys
):
    monkeypatch.setattr(Source, "dataset", lambda source, config: dataset)
    monkeypatch.setattr(results, "FIGURES", ())
    (copied / "noise_curve.json").unlink()
    report.main(report.OneOrTwo(run=copied))
    assert "Training reads no test image" in (copied / "report.html").read_text()
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"Wrote {copied / 'report.html'}")
    monkeypatch.setattr(
        report, "check_promises", lambda run, data: [Check("All is well", "it is not", False)]
    )
    with pytest.raises(InputError, match=r"1 of the checks .* All is well \(it is not\)"):
        report.main(report.OneOrTwo(run=copied))
    assert "Does not hold" in (copied / "report.html").read_text()
    monkeypatch.setattr(report, "check_promises", lambda run, data: [])
    report.main(report.OneOrTwo(run=copied, other=(copied,)))
    assert "Does not hold" in (copied / "report.html").read_text()  # the page of one run is left
    assert (copied / "comparison.html").is_file()
    with pytest.raises(InputError, match="3 runs are given"):
        report.main(report.OneOrTwo(run=copied, other=(copied, copied)))


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (838, "dark"), (1400, "light")])
def test_it_opens_in_a_browser(browser, pages, tmp_path, width, scheme):  # noqa: F811
    (tmp_path / "report.html").write_text(pages[1])
    tab = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme
    ).new_page()
    heard: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on(
        "request",
        lambda request: (
            heard.append(request.url[:40]) if not request.url.startswith("data:") else None
        ),
    )
    tab.goto((tmp_path / "report.html").as_uri())
    assert heard == [(tmp_path / "report.html").as_uri()[:40]]
    assert (
        tab.evaluate("document.documentElement.scrollWidth") == width
    )  # tables scroll by themselves
    ink, paper = (
        tab.evaluate(f"getComputedStyle(document.body).{each}")
        for each in ("color", "backgroundColor")
    )
    dark = [sum(map(int, re.findall(r"\d+", each))) < 382 for each in (ink, paper)]
    assert dark == ([False, True] if scheme == "dark" else [True, False])
    assert tab.evaluate("[...document.images].every((image) => image.naturalWidth > 500)")
    tab.context.close()
