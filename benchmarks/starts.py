"""What several starts would have given: finished runs of one recipe, and every choice of K of them, halved stage by stage.

Runs that differ in their seeds alone are starts, and metrics.jsonl has their losses at each epoch: nothing is trained here.
"""

import itertools
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxae.cli import command
from jaxae.errors import InputError
from jaxae.runs import metrics_log
from jaxae.runs.directory import read_config
from jaxae.tables import markdown
from jaxae.train.starts import extra_epochs, select, stages


def main(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    starts: tuple[int, ...] = (2, 3, 4),
    first: tuple[int, ...] = (4, 8, 16, 24, 32, 48),
) -> None:
    """Prints, for each number of starts and each first stage, the lowest validation loss: mean and spread over all choices.

    Args:
        runs: Run directories, trained to their ends by recipes that differ in the seed alone.
        starts: Numbers of starts.
        first: Epochs at which the first stage ends.
    """
    configs = [read_config(run) for run in runs]
    if len(runs) <= max(starts):
        raise InputError(f"{len(runs)} runs are given: give more than the {max(starts)} starts")
    for run, config in zip(runs, configs, strict=True):
        if others := [each for each in config.differences(configs[0]) if not each.startswith("seed:")]:
            raise InputError(f"{run} has another recipe than {runs[0]} ({others[0]}): give runs that differ in the seed alone")
    losses = [np.minimum.accumulate([row["validation_loss"] for row in metrics_log.read(run)]) for run in runs]
    ends = np.array([each[-1] for each in losses])
    rows = [["1", "", "0", f"{ends.mean():.5f}", f"{ends.std():.5f}", f"{ends.max():.5f}"]]
    for count, stage in itertools.product(starts, first):
        plan = stages(count, epochs=configs[0].epochs, first=stage)
        found = []
        for chosen in itertools.combinations(range(len(runs)), count):
            kept = list(chosen)
            for each in plan:
                now = [losses[k][min(each.epochs, len(losses[k])) - 1] for k in kept]
                kept = [kept[k] for k in select(now, keep=-(-len(kept) // 2))]
            found.append(ends[kept[0]])
        row = [f"{np.mean(found):.5f}", f"{np.std(found):.5f}", f"{np.max(found):.5f}"]
        rows.append([f"{count}", f"{stage}", f"{extra_epochs(plan)}", *row])
    titles = ["starts", "first stage ends at epoch", "extra epochs", "validation loss, mean", "standard deviation", "worst"]
    print(f"{len(runs)} runs, which ended after {', '.join(str(len(each)) for each in losses)} epochs\n")
    print(markdown(titles, rows))


if __name__ == "__main__":
    command.run(main)
