"""Every option of every command arrives where it acts, with its value.

Commands run for real, but for the functions that they call: those note what they are given. An
option that a command gains needs an entry in these tables.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxae.cli import (
    command,
    denoise,
    encode,
    evaluate,
    explore,
    export,
    import_torch,
    options,
    plot,
    release,
    report,
    score,
    train,
)
from jaxae.cli import map as map_command
from jaxae.cli.main import COMMANDS
from jaxae.config import Config
from jaxae.data.dataset import Dataset, Split
from jaxae.errors import InputError
from jaxae.evaluation import plots
from jaxae.inference import Run
from jaxae.train.multihost import ALONE
from tests.helpers import untrained_run

Entry = tuple[str, str]
"""What to write after the command, and what some function is given then, but not without it."""

TRAIN: dict[str, Entry] = {
    "--dataset": ("--dataset mnist", "load_dataset('mnist'"),
    "--seed": ("--seed 7", "seed=7"),
    "--batch-size": ("--batch-size 64", "batch_size=64"),
    "--image-size": ("--image-size 9 8", "image_size=(9, 8), shares="),
    "--split": ("--split .7 .1 .2", "shares=(0.7, 0.1, 0.2)"),
    "--skip-damaged": ("--skip-damaged", "skip_damaged=True, labels="),
    "--labels": ("--labels /some.csv", "labels='/some.csv', data_dir="),
    "--noise-factor": ("--noise-factor .4", "noise_factor=0.4"),
    "--noise-range": ("--noise-range .1 .5", "noise_range=(0.1, 0.5)"),
    "--dropout": ("--dropout .3 .2 .1", "dropout=(0.3, 0.2, 0.1)"),
    "--dropout-epochs": ("--dropout-epochs 7", "dropout_epochs=7"),
    "--widths": ("--widths 32 8", "widths=(32, 8)"),
    "--latent-dim": ("--latent-dim 3", "latent_dim=3"),
    "--latent-activation": ("--latent-activation relu", "latent_activation='relu'"),
    "--narrow-shift": ("--narrow-shift 1.5", "narrow_shift=1.5"),
    "--statistics-images": ("--statistics-images 500", "statistics_images=500"),
    "--matmul-dtype": ("--matmul-dtype float32", "matmul_dtype='float32'"),
    "--learning-rate": ("--learning-rate .5", "learning_rate=0.5"),
    "--weight-decay": ("--weight-decay .5", "weight_decay=0.5"),
    "--adam-b2": ("--adam-b2 .5", "adam_b2=0.5"),
    "--clip-norm": ("--clip-norm 2.5", "clip_norm=2.5"),
    "--average-decay": ("--average-decay .5", "average_decay=0.5"),
    "--neighbor-weight": ("--neighbor-weight .5", "neighbor_weight=0.5"),
    "--epochs": ("--epochs 7", "epochs=7"),
    "--plateau-patience": ("--plateau-patience 6", "plateau_patience=6"),
    "--plateau-factor": ("--plateau-factor .7", "plateau_factor=0.7"),
    "--min-scale": ("--min-scale .7", "min_scale=0.7"),
    "--no-restore-best": ("--no-restore-best", "restore_best=False"),
    "--early-stop-patience": ("--early-stop-patience 6", "early_stop_patience=6"),
    "--data-dir": ("--data-dir kept", "data_dir=PosixPath('kept')"),
    "--manual-dir": ("--manual-dir by-hand", "manual_dir=PosixPath('by-hand')"),
    "--seeds": ("--seeds 3", "seed=2"),
    "--sweep": ("--sweep clip_norm=3,4 --sweep weight-decay=5,6", "weight_decay=6.0, adam_b2="),
    "--devices": ("--devices 2", "devices='2'"),
    "--images-on-host": ("--images-on-host", "images_on_host=True"),
    "--coordinator": ("--coordinator here:1", "join('here:1'"),
    "--processes": ("--coordinator here:1 --processes 2", "processes=2"),
    "--process-id": ("--coordinator here:1 --process-id 1", "process_id=1"),
    "--resume-from": ("--resume-from /other", "begin_from(Origin(run_dir=PosixPath('/other'), "),
    "--resume-epoch": ("--resume-from /other --resume-epoch 4", "epoch='4')"),
    "--run-dir": ("--run-dir /elsewhere", "PosixPath('/elsewhere-SYNTHETIC')"),
    "--preset": ("--preset map", "neighbor_weight=1.0"),
    "--overwrite": ("--overwrite", "overwrite=True"),
    "--tensorboard": ("--tensorboard", "Events("),
    "--quiet": ("--quiet", "report=silent"),
}

SOURCE: dict[str, Entry] = {
    "--epoch": ("--epoch 5", "epoch=5"),
    "--member": ("--member 1", "population/members/1"),
    "--dataset": ("--dataset /moved", "load_dataset('/moved'"),
    "--labels": TRAIN["--labels"],
    "--data-dir": TRAIN["--data-dir"],
    "--manual-dir": TRAIN["--manual-dir"],
}
NEW: dict[str, Entry] = {option: SOURCE[option] for option in ("--epoch", "--member")}
NOISE: dict[str, Entry] = {"--noise-factor": TRAIN["--noise-factor"]}

FIGURES: dict[str, dict[str, Entry]] = {
    "all": SOURCE,
    "reconstructions": SOURCE | NOISE,
    "error-maps": SOURCE | NOISE,
    "noise-robustness": SOURCE,
    "latent-space": SOURCE,
    "latent-grid": SOURCE,
    "noise-drift": SOURCE,
    "noise-curve": SOURCE
    | {"--images": ("--images 9", "images=9"), "--draws": ("--draws 9", "draws=9")},
    "seed-agreement": SOURCE,
    "training-curves": {"--member": SOURCE["--member"]},
}
TABLES: dict[str, dict[str, Entry]] = {
    "train": TRAIN,
    "evaluate": SOURCE | NOISE | {"--figures": ("--figures", "all_figures(")},
    "score": SOURCE,
    "map": SOURCE,
    "encode": NEW,
    "denoise": NEW
    | {
        "--out": ("--out elsewhere", "PosixPath('elsewhere/a.jpg.png')"),
        "--noise": ("--noise .3", "std=0.3"),
    },
    "explore": SOURCE | {"--small": ("--small", "small=True")},
    "report": SOURCE,
    "export": SOURCE | {"--to": ("--to onnx", "formats=('onnx',)")},
    "import-torch": {
        "--run-dir": ("--run-dir /elsewhere", "PosixPath('/elsewhere')"),
        "--dataset": ("--dataset mnist", "dataset='mnist'"),
        "--noise-factor": TRAIN["--noise-factor"],
        "--image-shape": ("--image-shape 4 5 3", "image_shape=(4, 5, 3)"),
    },
    "release": {},
    **{f"plot {name}": table for name, table in FIGURES.items()},
}

MAINS: dict[str, Callable[..., None]] = {
    "train": train.main,
    "evaluate": evaluate.main,
    "score": score.main,
    "map": map_command.main,
    "encode": encode.main,
    "denoise": denoise.main,
    "explore": explore.main,
    "report": report.main,
    "export": export.main,
    "import-torch": import_torch.main,
    "release": release.main,
    **{f"plot {name}": main for name, main in plot.main.items()},
}


def plain(value: Any) -> str:
    """Return a value as text that is the same in every process."""
    if isinstance(value, Dataset):
        return f"<{value.name}>"
    if isinstance(value, Run):
        return "<run>"
    if isinstance(value, Config | Path | str) or not callable(value):
        return repr(value)
    return str(getattr(value, "__name__", "<callable>"))


class Notes(list[str]):
    """What functions were called with."""

    def of(self, name: str, result: Any = None) -> Callable[..., Any]:
        """Return a function that notes its arguments. result: a value, or a function of them."""

        def noting(*args: Any, **named: Any) -> Any:
            given = [plain(each) for each in args]
            given += [f"{key}={plain(each)}" for key, each in named.items()]
            self.append(f"{name}({', '.join(given)})")
            return result(*args, **named) if inspect.isfunction(result) else result

        return noting


@pytest.fixture
def notes(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Put noting functions in place of all that the commands call and that takes time."""
    notes = Notes()
    monkeypatch.chdir(tmp_path)
    for place in ("run", "population/members/0", "population/members/1"):
        (tmp_path / place).mkdir(parents=True)

    def replace(module: Any, *names: str, result: Any = None) -> None:
        for name in names:
            monkeypatch.setattr(module, name, notes.of(name, result))

    def load_dataset(name: str, **_: Any) -> Dataset:
        return dataset._replace(name="synthetic" if name == "auto" else name)

    def members(run: Path) -> list[Path]:
        numbers = range(2) if run.name == "population" else ()
        return [run / "members" / str(k) for k in numbers] or [run]

    run = untrained_run(widths=(8, 4))
    replace(options, "load_dataset", result=load_dataset)
    replace(options, "load", result=run)
    monkeypatch.setattr(options, "members", members)
    monkeypatch.setattr(report, "members", members)

    def fit_members(configs: list[Config], *_: Any, **__: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(best_loss=0.5, best_epoch=1) for _ in configs]

    replace(train, "take_cores", "begin_from", "_add_figures")
    replace(train, "fit_members", result=fit_members)
    replace(train, "join", result=ALONE)
    replace(train, "member_directories", result=lambda place, names, **_: [place] * len(names))
    replace(train, "explained", "moved", result=[])
    replace(train, "Events", result=SimpleNamespace(update=print, close=lambda: None))

    replace(evaluate, "epochs", result=[1])
    replace(evaluate, "evaluate", "print_results")
    replace(evaluate, "try_to_save", result=[])
    replace(score, "score_latent", result=SimpleNamespace(pca=None))
    replace(score, "print_results")
    replace(score, "try_to_save", result=[])
    replace(plot, "measure_noise_curve", "save", "save_figure", "draw_training_curves")
    monkeypatch.setattr(plot, "QUICK", {})
    monkeypatch.setattr(plot.metrics_log, "read", lambda place: ROWS)
    replace(plots, *(name.replace("-", "_") for name in FIGURES if name not in OF_COMMANDS))
    replace(plot, "all_figures")  # which evaluate calls; MAINS has the real one

    replace(map_command, "image_table", result=SimpleNamespace(file=[]))
    replace(map_command, "as_csv", "write_parquet", result="")
    new = Split(np.zeros((1, 28, 28, 1), np.uint8), files=np.array(["a.jpg"]))
    replace(encode, "read_pictures", result=new)
    replace(encode, "load", result=run)
    replace(encode, "encode", result=np.zeros((1, 2)))
    replace(encode, "decode", result=np.zeros((1, 28, 28, 1)))
    replace(denoise, "corrupt", "reconstruct", result=new.images)
    replace(denoise, "_write")
    replace(explore, "explorer_page", result="page")
    replace(report, "gather", "check_agreement")
    replace(report, "report_page", result="page")
    replace(export, "read_record", "_table")
    replace(export, "export_run")
    replace(import_torch, "file_digest", result="0")
    replace(import_torch, "read_torch", result=(Config(), {}))
    replace(import_torch, "run_directory", result=tmp_path / "imported")
    replace(import_torch.checkpoint, "write_checkpoint")
    return notes


ROWS = [dict.fromkeys(["data", "best", *plot.metrics_log.SCALARS], 1)]
OF_COMMANDS = ("all", "training-curves")
"""Figures that jaxae.evaluation.plots has no function for."""


def trace(name: str, words: str, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a command and return all that its functions were given, and its error."""
    run = "population" if "--member" in words else "run"
    place = {"train": "", "import-torch": "weights.safetensors", "release": "run copy"}
    place |= dict.fromkeys(["encode", "denoise"], f"{run} a.jpg")
    given = place.get(name, run)
    monkeypatch.setattr("sys.argv", [f"jaxae {name}", *given.split(), *words.split()])
    notes.clear()

    bound = command.parse(MAINS[name])
    try:
        bound()
    except InputError as error:
        notes.append(f"error: {error}")
    return "\n".join(notes)


def options_of(name: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the options that --help lists: the first words of its lines, whatever its frame."""
    monkeypatch.setattr("sys.argv", [name, "--help"])
    monkeypatch.setenv("COLUMNS", "100")  # a wider page has groups next to each other
    with pytest.raises(SystemExit):
        command.parse(MAINS[name])
    shown = capsys.readouterr().out
    assert "--help" in shown
    return set(re.findall(r"^\W*(--[a-z][a-z0-9-]+)", shown, re.MULTILINE)) - {"--help"}


def test_every_option_of_every_command_has_an_entry_here(capsys, monkeypatch):
    assert {name.split()[0] for name in MAINS} == COMMANDS.keys()
    assert TABLES.keys() == MAINS.keys()
    for name, table in TABLES.items():
        listed = options_of(name, capsys, monkeypatch)
        assert listed == table.keys(), name


@pytest.mark.parametrize("name", TABLES)
def test_every_option_arrives_with_its_value(name, notes, monkeypatch, capsys):
    monkeypatch.setattr("jaxae.train.loop.multiplies_bfloat16", lambda: True)
    usual = trace(name, "", notes, monkeypatch) if name != "release" else ""
    for option, (words, given) in TABLES[name].items():
        assert given not in usual, option
        found = trace(name, words, notes, monkeypatch)
        assert given in found, f"{name} {words}: {found}"
