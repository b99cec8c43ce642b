"""Shared small things: a data set that needs no network, and the place of the real one."""

import atexit
import gc
import importlib.metadata
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

# The same few programs are compiled in many tests and processes: a cache that lives as long as this
# session halves its time.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxae-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

# A test compiles longer than it computes. Without LLVM's optimisation, and without the emitters
# that make fused loops fast, XLA compiles in a third of the time. What it computes is the same.
# Later versions have no such flag, and XLA ends a process that gives it one that it does not know.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
if importlib.metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # of a job in the background; what the tests start must not inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The workers share the cores: more threads of NumPy and PyTorch would mostly wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax
import numpy as np
import pytest
from hypothesis import settings

from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.data.load import load_dataset, synthetic_dataset
from jaxae.data.official_files import FILES
from jaxae.data.synthetic import synthetic_arrays
from jaxae.train import directory_store

# Tracing makes many small objects that live on: Python would look for garbage all the time.
gc.set_threshold(100_000, 50, 100)

settings.register_profile("few", max_examples=40, deadline=None)
settings.register_profile(
    "many", max_examples=3000, deadline=None
)  # pytest --hypothesis-profile many
settings.load_profile("few")
LONGEST = (
    *("test_scripts", "test_resilience", "test_explorer", "test_gpu_benchmark", "test_population"),
    *(
        "test_multihost",
        "test_autoencoder",
        "test_real",
        "test_torch",
        "test_sharding",
        "test_own_images",
        "test_report",
    ),
)
"""Files that are begun first: of two workers neither is left alone with one of them at the end."""
REAL_FILES = Path(
    os.environ.get("JAXAE_MANUAL_DIR") or Path(__file__).parents[2] / "shared" / "fashion-mnist"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests' files as LONGEST says; xdist takes them in this order."""
    rank = {name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(autouse=True)
def _each_epoch_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved must not depend on how fast the machine is."""
    monkeypatch.setattr(directory_store, "SAVE_SECONDS", 0.0)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """550 training, 50 validation and 103 test images: the last batch of every pass is a partial
    one.
    """
    return synthetic_dataset(jax.random.key(1), train=600, test=103)


@pytest.fixture(scope="session", autouse=True)
def _draw_once() -> Iterator[None]:
    """The set that commands draw takes half a second, and they are called a hundred times."""
    drawn: dict[tuple[bytes, int, int], dict[str, np.ndarray]] = {}

    def draw(key: jax.Array, *, train: int, test: int) -> dict[str, np.ndarray]:
        known = (np.asarray(jax.random.key_data(key)).tobytes(), train, test)
        if known not in drawn:
            drawn[known] = synthetic_arrays(key, train=train, test=test)
        return dict(drawn[known])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxae.data.load.synthetic_arrays", draw)
        yield


@pytest.fixture
def config() -> Config:
    """A recipe that is over in seconds: few layers compile soon."""
    return Config(dataset="synthetic", epochs=3, batch_size=64, learning_rate=3e-3, widths=(64, 16))


@pytest.fixture(scope="session")
def real_files() -> Path:
    """The folder of the four official files."""
    if not all((REAL_FILES / name).is_file() for name in FILES.values()):
        pytest.skip(
            f"the official Fashion-MNIST files are not in {REAL_FILES}: "
            "name their folder in JAXAE_MANUAL_DIR"
        )
    return REAL_FILES


@pytest.fixture(scope="session")
def fashion_mnist(real_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real data set."""
    prepared = tmp_path_factory.mktemp("prepared")
    return load_dataset("fashion_mnist", data_dir=prepared, manual_dir=real_files)


@pytest.fixture(autouse=True)
def _no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests neither read nor fill the caches of whoever runs them."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-data"))
    monkeypatch.delenv("JAXAE_MANUAL_DIR", raising=False)
