import json

import pytest

from jaxae.errors import InputError
from jaxae.evaluation.records import (
    Evaluation,
    LatentScores,
    Scorecard,
    provenance,
    read_record,
    write_record,
)
from tests.helpers import ABOUT, untrained_run

SCORES = Scorecard(
    about=ABOUT, neighbours=10, ours=LatentScores(mse=0.1), pca=LatentScores(mse=1 / 3)
)


def test_a_record_is_read_as_it_was_written(tmp_path):
    write_record(tmp_path / "latent_scorecard.json", SCORES)
    assert read_record(tmp_path / "latent_scorecard.json", Scorecard) == SCORES


def test_a_missing_file_has_no_record(tmp_path):
    assert read_record(tmp_path / "evaluation.json", Evaluation) is None


def test_the_provenance_names_data_and_checkpoint(dataset):
    run = untrained_run(widths=(8,))
    about = provenance(run, dataset, split="test")
    assert (about.data, about.data_sha256) == (dataset.title, dataset.digest)
    assert (about.checkpoint_epoch, about.split) == (run.epoch, "test")
    assert "jax" in about.versions


def as_text(change) -> str:
    value = json.loads(json.dumps({"about": vars(ABOUT), "neighbours": 3, "ours": {}, "pca": {}}))
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ("{", "EOF while parsing"),
        ("[]", "should be an object"),
        ("", "EOF while parsing"),
        ('{"rows": {"jaxae": {"mse": 0.5}}}', "about"),  # of an older version
        (as_text(lambda value: value["ours"].update(mse="0.5")), "ours.mse"),
        (as_text(lambda value: value["about"].update(versions=3)), "about.versions"),
        (as_text(lambda value: value.update(neighbours=None)), "neighbours"),
        (as_text(lambda value: value.pop("pca")), "pca"),
    ],
)
def test_a_damaged_or_older_file_is_one_line_that_says_how_it_is_made_again(
    tmp_path, contents, words
):
    path = tmp_path / "latent_scorecard.json"
    path.write_text(contents)
    with pytest.raises(InputError, match=words) as refused:
        read_record(path, Scorecard)
    assert str(path) in str(refused.value)
    assert "make it again with jaxae score RUN, or delete it" in str(refused.value)
    assert "\n" not in str(refused.value)
