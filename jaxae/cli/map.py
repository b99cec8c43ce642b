"""jaxae map: writes a table of all images with their places on the map."""

from jaxae.cli.messages import say
from jaxae.cli.options import Source
from jaxae.report.image_table import as_csv, image_table, write_parquet
from jaxae.runs import files


def main(source: Source) -> None:
    """Writes RUN/map.csv: a row for each image, with its file, place on the map and error.

    Columns: file, split, label, x, y, error, anomaly_rank (1 is the largest error), nearest_file
    and equal_to. RUN/map.parquet holds the same with all digits.

    Example: jaxae map checkpoints/released

    Args:
        source: The run and its data.
    """
    run = source.load(source.directory)
    table = image_table(run, source.dataset(run.config))

    path = source.directory / "map.csv"
    files.write_text(path, as_csv(table))
    say(f"Wrote {path} ({len(table.file):,} images)")

    columns = source.directory / "map.parquet"
    write_parquet(columns, table)
    say(f"Wrote {columns}")
