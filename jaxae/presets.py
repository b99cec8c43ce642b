"""Recipes by name."""

from jaxae.config import Config

PRESETS = {
    "default": Config(),
    "clean": Config(
        noise_range=(0.0, 0.4),
        dropout=(0.0, 0.0, 0.0),
        clip_norm=0.1,
        plateau_factor=0.5,
        plateau_patience=15,
        min_scale=0.01,
        early_stop_patience=15,
        epochs=160,
    ),
}
"""The procedure as it is given, and a recipe that is better on clean images: it trains on noise of all strengths up to 0.4."""
