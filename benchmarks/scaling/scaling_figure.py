"""The picture of scaling.py."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Size = tuple[int, int, float]
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"


def draw(
    sweeps: Mapping[str, Sequence[Size]],
    seconds: Mapping[Size, float],
    predicted: Mapping[Size, float],
    shared: Mapping[str, tuple[float, float]],
    machine: str,
) -> Figure:
    """Images trained a second against seeds, batch size and width, and what two processes gain. All times are seconds a step.

    seconds, predicted: of (seeds, batch size, width); shared: by one process, and by two.
    """
    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(f"How training scales: {machine}")
    panels = figure.subplots(2, 2).flat
    titles = {
        "seeds": "Models in one program",
        "batch size": "Batch size",
        "width": "Width of all hidden layers",
    }
    for axes, (name, sweep) in zip(panels, sweeps.items(), strict=False):
        values = [size[("seeds", "batch size", "width").index(name)] for size in sweep]

        def rates(times: Mapping[Size, float], sweep: Sequence[Size] = sweep) -> list[float]:
            return [size[0] * size[1] / times[size] / 1e3 for size in sweep]

        axes.plot(values, rates(seconds), "o-", color=BLUE, label="measured")
        axes.plot(values, rates(predicted), "--", color=GREY, label="cost model")
        label = {"seeds": "models", "batch size": "images a step", "width": "times the default"}[
            name
        ]
        _decorate(axes, titles[name], label, values, prefix="×" if name == "width" else "")
        axes.set_ylabel(
            "thousand model·images a second" if name == "seeds" else "thousand images a second"
        )
    last = panels[3]
    gains = [one / two for one, two in shared.values()]
    bars = last.barh(range(len(gains)), gains, color=ORANGE)
    last.bar_label(bars, [f"× {gain:.2f}" for gain in gains], padding=3)
    last.set_yticks(range(len(gains)), [name.replace(", ", ",\n") for name in shared])
    last.invert_yaxis()
    last.axvline(1, color=GREY, linestyle="--")
    last.set(
        title="Two processes, one core each",
        xlabel="times the speed of one process with one core",
        xlim=(0, 2.3),
    )
    return figure


def _decorate(
    axes: Axes, title: str, label: str, values: Sequence[float], prefix: str = ""
) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [f"{prefix}{value:g}" for value in values])
    axes.minorticks_off()
    axes.set(title=title, xlabel=label)
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.legend(frameon=False)
