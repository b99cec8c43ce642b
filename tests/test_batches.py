import numpy as np
import pytest

from jaxae.inference import in_batches


@pytest.mark.parametrize("count", [0, 1, 32, 33, 1000, 1001, 2500])
def test_rows_come_back_in_their_order_and_programs_see_two_sizes(count):
    rows, factors = np.random.default_rng(0).normal(size=(count, 3, 2)), np.arange(count)
    sizes: set[int] = set()

    def program(rows, factors):
        sizes.add(len(rows))
        return rows[:, :2] * factors[:, None, None]

    found = in_batches(program, rows, factors)
    np.testing.assert_array_equal(found, rows[:, :2] * factors[:, None, None])
    assert found.shape == (count, 2, 2)
    assert sizes == {32 if count <= 32 else 1000}
