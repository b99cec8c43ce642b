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
    shared: Mapping[tuple[int, int], float],
    machine: str,
) -> Figure:
    """Images trained a second against seeds, batch size, width, and processes. seconds: of a step, measured; shared: of
    (processes, batch size).
    """
    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(f"How training scales: {machine}")
    panels = figure.subplots(2, 2).flat
    titles = {"seeds": "Models in one program", "batch size": "Batch size", "width": "Width of all hidden layers"}
    for axes, (name, sweep) in zip(panels, sweeps.items(), strict=False):
        values = [size[("seeds", "batch size", "width").index(name)] for size in sweep]

        def rates(times: Mapping[Size, float], sweep: Sequence[Size] = sweep) -> list[float]:
            return [size[0] * size[1] / times[size] / 1e3 for size in sweep]

        axes.plot(values, rates(seconds), "o-", color=BLUE, label="measured")
        axes.plot(values, rates(predicted), "--", color=GREY, label="cost model")
        label = {"seeds": "models", "batch size": "images a step", "width": "times the default"}[name]
        _decorate(axes, titles[name], label, values, prefix="×" if name == "width" else "")
        axes.set_ylabel("thousand model·images a second" if name == "seeds" else "thousand images a second")
    last = panels[3]
    for count, color in ((1, BLUE), (2, ORANGE)):
        batches = sorted(batch for processes, batch in shared if processes == count)
        label = f"{count} process{'es' if count > 1 else ''}, one core each"
        last.plot(batches, [batch / shared[count, batch] / 1e3 for batch in batches], "o-", color=color, label=label)
    _decorate(last, "A batch shared by processes", "images a step", sorted({batch for _, batch in shared}))
    last.set_ylabel("thousand images a second")
    return figure


def _decorate(axes: Axes, title: str, label: str, values: Sequence[float], prefix: str = "") -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [f"{prefix}{value:g}" for value in values])
    axes.minorticks_off()
    axes.set(title=title, xlabel=label)
    axes.set_ylim(0)
    if axes.has_data():
        axes.legend(frameon=False)
