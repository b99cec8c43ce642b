"""How the time of an epoch grows with the batch size and with the width of the layers → a table, and benchmarks/growth.png."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from speed_worker import prepare
from train_speed import machine

import jaxae.quiet  # noqa: F401 - before the slow imports
from jaxae import cli
from jaxae.config import Config
from jaxae.data import load
from jaxae.model import LATENT, SIDE, WIDTHS

BATCHES = (64, 128, 256, 512, 1024, 2048, 4096)
FACTORS = (0.25, 0.5, 1, 2, 4)


def main(config: Config, rounds: int = 3) -> None:
    """Times whole epochs of the compiled program, each size in turn.

    Args:
        config: The recipe; its batch size is that of the widths' row.
        rounds: Epochs of each size; the medians count.
    """
    dataset = load(config.dataset, report=cli.say)
    images = dataset.train.images
    wide = {factor: tuple(max(1, round(width * factor)) for width in WIDTHS) for factor in FACTORS}
    sizes: dict[tuple[str, float], tuple[Config, tuple[int, ...]]]
    sizes = {("batch size", batch): (replace(config, batch_size=batch), WIDTHS) for batch in BATCHES}
    sizes |= {("width", factor): (config, widths) for factor, widths in wide.items()}
    seconds = {}
    for name, (recipe, widths) in sizes.items():
        run, state, data = prepare(recipe, images, widths=widths)
        laps = []
        for _ in range(rounds):
            began = time.perf_counter()
            state, losses = run(state, data)
            losses.block_until_ready()
            laps.append(time.perf_counter() - began)
        seconds[name] = median(laps)
        cli.say(f"{name[0]} {name[1]}: {seconds[name]:.2f} s an epoch")
    print("| | | s an epoch | images/s | ms a step | GFLOP/s |\n|---|---|---|---|---|---|")
    for name, (recipe, widths) in sizes.items():
        steps = len(images) // recipe.batch_size
        done = steps * recipe.batch_size
        rate = done / seconds[name]
        label = f"{name[0]} | {name[1]}" if name[0] == "batch size" else f"{name[0]} | ×{name[1]:g}"
        speed = f"{rate * flop_per_image(widths) / 1e9:.0f}"
        print(f"| {label} | {seconds[name]:.2f} | {rate:,.0f} | {seconds[name] / steps * 1000:.2f} | {speed} |")
    path = Path(__file__).with_name("growth.png" if dataset.name == "fashion_mnist" else "growth-SYNTHETIC.png")
    draw(seconds, {factor: flop_per_image(widths) for factor, widths in wide.items()}).savefig(path, dpi=120)
    cli.say(f"Wrote {path}")


def flop_per_image(widths: tuple[int, ...]) -> float:
    """Operations of a step's matrix products, an image: two a weight, three products a layer, but two for the first."""
    sides = np.array([SIDE * SIDE, *widths, LATENT])
    weights = 2 * np.sum(sides[1:] * sides[:-1])
    return float(6 * weights - 2 * sides[0] * sides[1])


def draw(seconds: dict[tuple[str, float], float], flop: dict[float, float]) -> Figure:
    """Time against batch size, and against width with the line of what would be proportional to the FLOP."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    figure.suptitle(f"How the time of an epoch grows: {machine()}")
    left, right = figure.subplots(1, 2)
    batches, factors = ([size for kind, size in seconds if kind == each] for each in ("batch size", "width"))
    left.semilogx(batches, [seconds["batch size", batch] for batch in batches], "o-", color="#0072B2")
    left.set(title="The batch size", xlabel="images a step", ylim=(0, None))
    left.set_xticks(batches, [f"{batch}" for batch in batches])
    epochs = [seconds["width", factor] for factor in factors]
    right.loglog(factors, epochs, "o-", color="#D55E00", label="measured")
    proportional = [epochs[-1] * flop[factor] / flop[factors[-1]] for factor in factors]
    right.loglog(factors, proportional, color="#555555", linestyle="--", label="proportional to the FLOP")
    right.set(title="The width of all hidden layers", xlabel="times the default")
    right.set_xticks(factors, [f"×{factor:g}" for factor in factors])
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    low, high = right.get_ylim()
    right.set_yticks([tick for tick in ticks if low <= tick <= high])
    right.yaxis.set_major_formatter("{x:g}")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_ylabel("seconds an epoch of 55,000 images")
        axes.minorticks_off()
    return figure


if __name__ == "__main__":
    cli.run(main)
