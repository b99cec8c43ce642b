"""A tiny image set that TFDS prepares here, without TensorFlow, read as a data set by its name."""

import io
from typing import ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxae.data.load import load_dataset
from jaxae.errors import InputError, silent

pytest.importorskip(
    "array_record",
    reason="array_record is not installed: TFDS can't read its prepared sets without TensorFlow",
)

IMAGES = np.random.default_rng(0).integers(0, 256, (80, 6, 5, 3), np.uint8)


class TinyPets(tfds.core.GeneratorBasedBuilder):
    """Eighty random pictures of cats and dogs."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=name) for name in ("all", "cats")]

    def _info(self):
        kinds = {
            "image": tfds.features.Image(shape=(6, 5, 3)),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(kinds))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(60)),
            "test": self._generate_examples(range(60, 80)),
        }

    def _generate_examples(self, indices):
        step = 2 if self.builder_config.name == "cats" else 1
        for index in indices[::step]:
            file = io.BytesIO()
            Image.fromarray(IMAGES[index]).save(file, "PNG")
            yield index, {"image": io.BytesIO(file.getvalue()), "label": index % 2}


@pytest.mark.filterwarnings("ignore")  # of TFDS
def test_a_set_that_tfds_prepares_is_a_data_set(tmp_path):
    data = load_dataset("tiny_pets", data_dir=tmp_path, report=silent)
    assert (data.name, data.class_names, data.image_shape) == (
        "tiny_pets",
        ("cat", "dog"),
        (6, 5, 3),
    )
    wanted = {image.tobytes(): index % 2 for index, image in enumerate(IMAGES)}
    assert data.test.labels is not None
    test = {
        image.tobytes(): int(label)
        for image, label in zip(data.test.images, data.test.labels, strict=True)
    }
    assert test == {
        image.tobytes(): wanted[image.tobytes()] for image in IMAGES[60:]
    }  # TFDS shuffles
    assert len(data.train.images) + len(data.validation.images) == 60


@pytest.mark.filterwarnings("ignore")
def test_a_config_of_a_set_is_named_as_tfds_does_and_a_folder_of_that_name_wins(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    data = load_dataset("tiny_pets/cats", data_dir="prepared", report=silent)
    assert (data.name, len(data.test.images)) == ("tiny_pets/cats", 10)
    assert data.class_names == ("cat", "dog")
    with pytest.raises(InputError, match=r"tiny_pats/cats is neither .*did you mean tiny_pets"):
        load_dataset("tiny_pats/cats", data_dir="prepared", report=silent)

    (tmp_path / "tiny_pets").mkdir()
    with pytest.raises(InputError, match="tiny_pets/cats does not exist"):
        load_dataset("tiny_pets/cats", data_dir="prepared", report=silent)


@pytest.mark.filterwarnings("ignore")
def test_a_set_without_images_is_refused(tmp_path):
    class TinyText(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict(
                {"label": tfds.features.ClassLabel(num_classes=2)}
            )
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {}

        def _generate_examples(self):
            yield from ()

    with pytest.raises(InputError, match="tiny_text has 0 features that are images"):
        load_dataset(TinyText.name, data_dir=tmp_path, report=silent)
