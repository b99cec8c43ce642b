from typing import Any

import jax
import numpy as np

from jaxae.core.rng import Stream, data_to_keys, derive, keys_to_data, root_key


def test_streams_and_counters_give_keys_that_draw_different_numbers():
    root = root_key(3)
    draws = {
        (stream, counter): float(jax.random.uniform(derive(root, stream, counter)))
        for stream in Stream
        for counter in (0, 1, 2, 10_000)
    }
    assert len(set(draws.values())) == len(draws)


def test_no_stream_has_anothers_number():
    """Iterating over an Enum skips aliases, so the test above would not see one."""
    assert len({int(stream) for stream in Stream.__members__.values()}) == len(Stream.__members__)


def test_neighbouring_streams_and_counters_are_uncorrelated():
    root = root_key(0)
    noise = jax.random.normal(derive(root, Stream.NOISE, 5), (10_000,))
    for neighbour in (derive(root, Stream.NOISE, 6), derive(root, Stream.DROPOUT, 5)):
        other = jax.random.normal(neighbour, (10_000,))
        assert abs(np.corrcoef(noise, other)[0, 1]) < 4 / np.sqrt(10_000)  # four standard errors


def test_the_same_under_jit_and_with_a_traced_counter():
    root = root_key(9)
    eager = jax.random.key_data(derive(root, Stream.DROPOUT, 17))
    traced = jax.random.key_data(jax.jit(lambda counter: derive(root, Stream.DROPOUT, counter))(17))
    assert (eager == traced).all()


def test_keys_go_through_their_data_and_come_back():
    tree: dict[str, Any] = {"key": root_key(3), "x": np.arange(3)}
    plain = keys_to_data(tree)
    assert plain["key"].dtype == np.uint32
    back = data_to_keys(jax.tree.map(np.asarray, plain), jax.eval_shape(lambda: tree))
    assert back["key"] == tree["key"]
    assert back["key"].dtype == tree["key"].dtype
    assert (back["x"] == tree["x"]).all()
