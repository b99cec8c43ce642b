"""What gpu.py has found, as Markdown for docs/devices.md."""

from typing import Any

from benchmarks.speed.racers import LABELS
from jaxae.evaluation.tables import decibels, markdown


def table(found: dict[str, Any]) -> str:
    """One table of all figures and one of the timed programs; a part that failed, or was left out, says why."""
    parts = found["parts"]
    rows = [row for name, describe in ROWS.items() for row in describe(parts.get(name, {}))]
    for name, record in parts.items():
        rows += [
            (f"{name}: {key.replace('_', ' ')}", record[key])
            for key in ("left_out", "error")
            if key in record
        ]
    lines = [
        f"{found['machine']}{'; small sizes, which say nothing of its speed' if found['small'] else ''}.",
        "",
    ]
    lines += ["| | |", "|---|---|", *(f"| {title} | {text} |" for title, text in rows)]
    timed = [
        row
        for name in ("members", "batch_and_width")
        for row in parts.get(name, {}).get("rows", [])
    ]
    if timed:
        columns = [
            "models",
            "batch",
            "width",
            "ms a step",
            "model·images/s",
            "times tuned PyTorch",
            "peak memory, MB",
        ]
        lines += ["", markdown(columns, [timed_row(row, tuned(parts)) for row in timed])]
    return "\n".join(lines)


def tuned(parts: dict[str, Any]) -> float | None:
    """Images a second of the tuned PyTorch loop."""
    return parts.get("race", {}).get("images_per_s", {}).get("tuned")


def timed_row(row: dict[str, Any], tuned: float | None) -> list[str]:
    """The cells of a timed program."""
    rate = row["model_images_per_s"]
    times = f"{rate / tuned:.1f}" if tuned else ""
    size = [str(row["members"]), str(row["batch_size"]), f"×{row['width']:g}"]
    memory = f"{row['peak_memory_mb']:,}" if "peak_memory_mb" in row else ""
    return [*size, f"{row['ms_a_step']:.2f}", f"{rate:,.0f}", times, memory]


def device(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The device and what runs on it."""
    if "kind" not in record:
        return []
    memory = f", {record['memory_mb']:,} MB for JAX" if record["memory_mb"] else ""
    versions = record.get("versions", {})
    return [
        (
            "device",
            f"{record['kind']} ({record['platform']}){memory}; jax {versions.get('jax', 'unknown')}",
        )
    ]


def race(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Each racer beside jaxae."""
    times = record.get("ms_a_step", {})
    return [
        (f"one model: {LABELS[name]}", f"{ms:.2f} ms a step, {ms / times['jaxae']:.2f}×")
        for name, ms in times.items()
    ]


def train(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The default training and its quality."""
    if "compiled_s" not in record:
        return []
    end = "finished" if record["finished"] else "not finished in its time"
    first = f"{record['epochs']} epochs in {record['train_s']:.0f} s, {end}; compiled after {record['compiled_s']:.1f} s"
    rows = [(f"training on {record['data']}", f"{first}; {record['images_per_s']:,} images/s")]
    if "peak_memory_mb" in record:
        rows.append(("peak memory of the training", f"{record['peak_memory_mb']:,} MB"))
    if "validation_loss" in record:
        rows.append(
            ("validation loss", f"{record['validation_loss']:.5f}, epoch {record['best_epoch']}")
        )
    if "test" in record:
        test, ssim = record["test"], record["test"]["ssim_mean"]
        quality = (
            f"MSE {test['mse']:.5f}, PSNR of the mean MSE {decibels(test['psnr_of_mean_mse'])}"
        )
        rows.append(
            (
                "test images at noise 0.25",
                quality + (f", SSIM {ssim:.3f}" if ssim is not None else ""),
            )
        )
    return rows


def bits(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Whether a repeated training gave the same bits."""
    if "same" not in record:
        return []
    again = record.get("same_with_deterministic_ops")
    rest = (
        ""
        if again is None
        else f"; with --xla_gpu_deterministic_ops=true {'the same' if again else 'different too'}"
    )
    return [
        (
            "two trainings of two epochs",
            f"{'the same bits' if record['same'] else 'different bits'}{rest}",
        )
    ]


def checkpoint(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The run that changed devices."""
    legs = [record[name] for name in sorted(record) if name.startswith("leg_")]
    done = ", ".join(
        f"{leg['on']} to epoch {leg['to_epoch']} ({leg['validation_loss']:.4f})" for leg in legs
    )
    return [("a run that changed devices (validation loss)", done)] if legs else []


def export(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The exported program."""
    if "images_per_s" not in record:
        return []
    far = ", ".join(
        f"{value:.1g} on the {place}" for place, value in record["largest_difference"].items()
    )
    return [
        (
            "the StableHLO export",
            f"differs from jaxae by at most {far}; {record['images_per_s']:,.0f} images/s",
        )
    ]


def tests(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What pytest said."""
    counts = [
        f"{record[name]} {name}" for name in ("passed", "failed", "skipped") if name in record
    ]
    return [("the tests that need a GPU", ", ".join(counts))] if counts else []


ROWS = {
    "device": device,
    "train": train,
    "race": race,
    "bits": bits,
    "checkpoint": checkpoint,
    "export": export,
    "tests": tests,
}
"""The parts and the rows that each gives."""
