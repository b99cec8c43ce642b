import dataclasses
import json

import pytest

from jaxae.config import PRESETS, Config
from jaxae.errors import InputError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", ""),
        ("latent_dim", 0),
        ("image_size", (0, 28)),
        ("split", (0.5, 0.5, 0.5)),
        ("seed", -1),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", 0),
        ("noise_factor", -0.1),
        ("noise_factor", float("nan")),
        ("noise_range", (0.4, 0.1)),
        ("noise_range", (-0.1, 0.1)),
        ("noise_range", (0.1,)),
        ("statistics_images", -1),
        ("statistics_images", 1),
        ("image_shape", (28, 28)),
        ("image_shape", (28, 0, 1)),
        ("widths", ()),
        ("widths", (512, 0)),
        ("average_decay", 1.0),
        ("adam_b2", 1.0),
        ("dropout", (0.2, 0.2, 1.0)),
        ("dropout", (0.2, 0.2)),
        ("latent_activation", "tanh"),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("learning_rate", "0.1"),
        ("weight_decay", -1e-4),
        ("clip_norm", 0.0),
        ("plateau_factor", 1.0),
        ("plateau_patience", 0),
        ("min_scale", 0.0),
        ("min_scale", 1.1),
        ("early_stop_patience", 0),
    ],
)
def test_impossible_value_is_refused_by_name_in_one_line(field, value):
    with pytest.raises(InputError, match=field) as caught:
        Config(**{field: value})
    assert "\n" not in str(caught.value)


def test_json_keeps_every_field():
    config = Config(
        seed=7,
        noise_range=(0.0, 0.5),
        average_decay=0.9,
        noise_factor=0.1,
        dropout=(0.0, 0.1, 0.3),
        learning_rate=1 / 3,
        latent_activation="relu",
    )
    assert Config.from_json(config.to_json()) == config


def test_json_of_a_synthetic_run_says_so():
    titled = Config(dataset="synthetic").to_json(data="SYNTHETIC")
    assert json.loads(titled)["data"] == "SYNTHETIC"
    assert Config.from_json(titled) == Config(dataset="synthetic")
    assert "SYNTHETIC" not in Config(dataset="fashion_mnist").to_json()


def test_a_retired_option_is_taken_with_todays_value_and_refused_with_another():
    recipe = json.loads(Config(dataset="synthetic").to_json()) | {
        "batch_norm_momentum": 0.9,
        "starts": 4,
    }
    assert Config.from_json(json.dumps(recipe)) == Config(dataset="synthetic")
    with pytest.raises(InputError, match=r"batch_norm_momentum is 0\.8"):
        Config.from_json(json.dumps(recipe | {"batch_norm_momentum": 0.8}))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"epoch": 3}', '{"epochs": "3"}', "[" * 10**5, b"\xff\xfe\x00"]
)
def test_json_that_is_no_config_is_refused(text):
    with pytest.raises(InputError):
        Config.from_json(text)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().epochs = 1  # type: ignore[misc]


def test_differences_name_field_and_both_values():
    assert Config(epochs=5).differences(Config(epochs=6, seed=0)) == ["epochs: 5, not 6"]
    assert Config().differences(Config()) == []


def test_presets_are_recipes_and_the_default_one_is_the_default():
    assert PRESETS["default"] == Config()
    named = {"default": set(), "clean": {"noise_range", "dropout"}}
    named["map"] = named["clean"] | {"neighbor_weight", "learning_rate"}
    for name, preset in PRESETS.items():
        assert {line.split(":")[0] for line in preset.differences(Config())} == named[name]
