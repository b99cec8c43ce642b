import json

import pytest

from jaxae.errors import InputError
from jaxae.runs.population import member_directories, members


@pytest.mark.parametrize("lie", [3, {"0": "a"}, [1, 2], "two", True])
def test_a_population_that_lies_is_one_clear_line(lie, tmp_path):
    (tmp_path / "population.json").write_text(json.dumps({"members": lie}))
    for call in (lambda: members(tmp_path), lambda: member_directories(tmp_path, ["a", "b"])):
        with pytest.raises(InputError, match=r"population\.json is damaged"):
            call()


def test_a_population_without_its_names_is_called_that(tmp_path):
    (tmp_path / "members" / "0").mkdir(parents=True)
    with pytest.raises(InputError, match=r"has members, but no population\.json"):
        members(tmp_path)


def test_what_was_measured_stays_unless_it_is_overwritten(tmp_path):
    names = ["seed 0", "seed 1"]
    assert member_directories(tmp_path, names) == [
        tmp_path / "members" / "0",
        tmp_path / "members" / "1",
    ]
    (tmp_path / "evaluation.json").write_text("{}")
    assert (
        member_directories(tmp_path, names)
        == members(tmp_path)
        == [tmp_path / "members" / "0", tmp_path / "members" / "1"]
    )
    assert (tmp_path / "evaluation.json").is_file()
    member_directories(tmp_path, ["seed 2", "seed 3"], overwrite=True)
    assert not (tmp_path / "evaluation.json").exists()
    with pytest.raises(InputError, match="holds 2 other members, the first of them seed 2"):
        member_directories(tmp_path, names)
