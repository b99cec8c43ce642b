"""Recipes by name."""

from dataclasses import replace

from jaxae.config import Config

CLEAN = Config(noise_range=(0.0, 0.4), dropout=(0.0, 0.0, 0.0), plateau_patience=15)

PRESETS = {"default": Config(), "clean": CLEAN, "map": replace(CLEAN, similarity_weight=0.02, restore_best=True)}
"""The procedure as it is given; a recipe for clean images and noisy ones, without dropout; and that with an ordered map."""
