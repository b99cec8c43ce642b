"""The model as a scikit-learn transformer, for rows of numbers instead of images."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxae.build import build_model
from jaxae.config import Config
from jaxae.data.dataset import Dataset
from jaxae.errors import Diverged, InputError, Report, silent
from jaxae.estimator import rows
from jaxae.inference import Run, decode, encode, reconstruct
from jaxae.train import loop
from jaxae.train.store import MemoryStore

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import Tags, check_array, check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise InputError(
        "scikit-learn is not installed: pip install -e '.[sklearn]' brings it"
    ) from None

DTYPES = (np.float64, np.float32, np.uint8)


class DenoisingAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Send each row through n_components numbers and back.

    X: uint8, which is divided by 255 unless all of it is 16 or less; or numbers, which fit brings
    to [0, 1] by their lowest and highest value, one pair for all features. inverse_transform,
    denoise and the errors are on the scale of X. Raises ValueError where jaxae.fit raises
    InputError; warns of an X whose range is far from that of fit.

    n_components, random_state: jaxae.Config's latent_dim and seed. The options that Config has by
    the same name mean the same. validation_fraction: share of the rows that are held out to find
    the best epoch and lower the learning rate; if that is fewer than 10 rows, all rows train, and
    do this too. progress: takes a record of each epoch, whose str() is a line; such as print.

    After fit: loss_curve_ and validation_loss_curve_, f64[n_iter_]; best_epoch_, from 1, whose
    weights are kept; run_, which jaxae.encode and the others take, for images [N, 1, features, 1].

    >>> X = dataset.test.images[:200].reshape(200, 784)
    >>> model = jaxae.DenoisingAutoencoder(widths=(32, 8), epochs=1, random_state=0).fit(X)
    >>> model.transform(X).shape, model.denoise(X).shape
    ((200, 2), (200, 784))
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        noise_factor: float = 0.25,
        noise_range: tuple[float, float] | None = None,
        widths: Sequence[int] = (512, 256, 128, 64, 32, 16, 8, 4),
        dropout: tuple[float, float, float] = (0.0, 0.0, 0.0),
        epochs: int = 300,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.003,
        average_decay: float = 0.998,
        neighbor_weight: float = 1.0,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        progress: Report | None = None,
    ) -> None:
        self.n_components = n_components
        self.noise_factor = noise_factor
        self.noise_range = noise_range
        self.widths = widths
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average_decay = average_decay
        self.neighbor_weight = neighbor_weight
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: Any = None) -> "DenoisingAutoencoder":
        """Train on the rows of X, float or uint8 [N, features], both 2 or more; y is ignored."""
        rows.check_unmasked("X", X)
        table: np.ndarray = validate_data(
            self, X, dtype=DTYPES, ensure_min_samples=2, ensure_min_features=2
        )
        scale = rows.scale_of(table)
        seed = self.random_state
        if not rows.is_whole_number(seed):
            seed = check_random_state(seed).randint(2**31 - 1)

        with rows.value_errors():
            recipe = rows.recipe_of(
                self.get_params(deep=False), features=table.shape[1], seed=int(seed)
            )
            train = validation = table
            held_out = rows.held_out(len(table), self.validation_fraction)
            if held_out:
                train, validation = train_test_split(
                    table, test_size=held_out, random_state=recipe.seed
                )
            dataset = rows.as_dataset(train, validation, scale=scale, batch_size=recipe.batch_size)
            self._train(recipe, dataset)

        self.config_ = recipe
        self.scale_ = scale
        return self

    def _train(self, recipe: Config, dataset: Dataset) -> None:
        report = self.progress or silent
        store = MemoryStore([recipe], report=report)
        try:
            loop.train([recipe], dataset, store, report=report)
        except Diverged:
            advice = (
                "the loss is no longer a finite number: "
                f"give a lower learning_rate than {self.learning_rate}"
            )
            if store.best[0] is None:
                raise InputError(f"In the first epoch {advice}") from None
            warnings.warn(
                f"After epoch {len(store.rows[0])} {advice}", ConvergenceWarning, stacklevel=3
            )

        best = store.best[0]
        assert best is not None
        self.variables_ = jax.tree.map(np.asarray, best.variables)
        self.best_epoch_ = best.epoch
        self.loss_curve_ = np.array([row.train_loss for row in store.rows[0]])
        self.validation_loss_curve_ = np.array([row.validation_loss for row in store.rows[0]])
        self.n_iter_ = len(store.rows[0])

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return latents, f32[N, n_components]."""
        return self._of_rows(encode, self._checked(X))

    def denoise(self, X: ArrayLike) -> np.ndarray:
        """Return the rows without noise, [N, features], on the scale of X.

        Values beyond those that fit has seen are clipped first.
        """
        images = self._of_rows(reconstruct, self._checked(X))
        return self.scale_.back(images)

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Return the rows that latents [N, n_components] decode to, on the scale of X."""
        run = self.run_
        rows.check_unmasked("Z", Z)
        latents = check_array(Z, dtype=np.float32)
        if latents.shape[1] != run.model.latent_dim:
            raise ValueError(
                f"Z has {latents.shape[1]} columns: "
                f"give {run.model.latent_dim}, the model's n_components"
            )
        return self.scale_.back(decode(run, latents))

    def anomaly_score(self, X: ArrayLike) -> np.ndarray:
        """Return each row's mean squared error, f64[N], on the scale of X squared.

        The higher, the stranger.
        """
        unit = self._checked(X)
        error = self._of_rows(reconstruct, unit).reshape(unit.shape) - unit
        return np.square(error, dtype=np.float64).mean(axis=1) * float(self.scale_.span) ** 2

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return minus the mean of anomaly_score: higher is better, as GridSearchCV wants it."""
        return -float(self.anomaly_score(X).mean())

    @property
    def run_(self) -> Run:
        """The trained model as jaxae.load would give it."""
        check_is_fitted(self)
        variables = jax.device_put(self.variables_)
        return Run(self.config_, build_model(self.config_), variables, self.best_epoch_)

    @property
    def _n_features_out(self) -> int:
        return self.config_.latent_dim

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _checked(self, X: ArrayLike) -> np.ndarray:
        """Return rows on the scale of the fit: in [0, 1], or beyond what fit has seen."""
        check_is_fitted(self)
        rows.check_unmasked("X", X)
        table = validate_data(self, X, dtype=DTYPES, reset=False)
        warning = rows.range_warning(table, self.scale_)
        if warning is not None:
            warnings.warn(warning, UserWarning, stacklevel=3)
        return self.scale_.unit(table)

    def _of_rows(
        self, function: Callable[[Run, np.ndarray], np.ndarray], unit: np.ndarray
    ) -> np.ndarray:
        return function(self.run_, rows.as_images(np.clip(unit, 0, 1).astype(np.float32)))
