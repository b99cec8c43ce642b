import os

import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.runs.arrays import read_items, write_items


@pytest.mark.parametrize("name", [b"runs [2024]", b"a*b?", b"a\\b", b"caf\xe9", b"a#b %20"])
def test_arrays_are_read_back_from_a_folder_of_any_name(name, tmp_path):
    """Orbax looks for its own files by patterns, and a [ in the path is one."""
    folder = tmp_path / os.fsdecode(name) / "1"
    folder.parent.mkdir()
    kernel = jnp.arange(6.0).reshape(2, 3)
    items = {"variables": {"kernel": kernel}, "training": {"epoch": jnp.array(7)}}

    write_items(folder, items)
    found = read_items(folder, items)

    np.testing.assert_array_equal(found["variables"]["kernel"], kernel)
    assert found["training"]["epoch"] == 7
    assert os.listdir(folder.parent) == ["1"]
