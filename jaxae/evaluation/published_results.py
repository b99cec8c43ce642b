"""Published 2-D embeddings, by data set, to print beside ours; and our released run's loss. docs/results.md has sources."""

SAINBURG = "Sainburg, McInnes, Gentner 2021 (Parametric UMAP)"
MOOR = "Moor, Horn, Rieck, Borgwardt 2020 (Topological Autoencoders)"

PROTOCOLS = {
    "jaxae": "jaxae: trained on the first 55,000 images with the run's noise; scored on clean ones; kNN fitted on those 55,000",
    SAINBURG: f"{SAINBURG}: one run, 50,000 images; convolutional, 64-128-512-2, BCE, 50 epochs; kNN on latents",
    MOOR: f"{MOOR}: fully connected, 784-1000-500-250-2, tanh, pixels in [-1, 1] (MSE divided by 4); at second hand",
}

FASHION_MNIST: dict[tuple[str, str], dict[str, float]] = {
    ("convolutional autoencoder", SAINBURG): {
        "mse": 0.024383,
        "mae": 0.084933,
        "knn_1": 0.6816,
        "knn_5": 0.7339,
        "trust_k5": 0.97035,
    },
    ("variational autoencoder", SAINBURG): {
        "mse": 0.025333,
        "mae": 0.087578,
        "knn_1": 0.6646,
        "knn_5": 0.7161,
        "trust_k5": 0.96814,
    },
    ("UMAP + autoencoder", SAINBURG): {"mse": 0.024047, "knn_1": 0.7083, "knn_5": 0.7561},
    ("Parametric UMAP", SAINBURG): {"mse": 0.026576, "knn_1": 0.6941, "knn_5": 0.7407},
    ("PCA", SAINBURG): {"mse": 0.046097, "knn_1": 0.4467, "knn_5": 0.5055, "trust_k5": 0.91244},
    ("fully connected autoencoder", MOOR): {"mse": 0.0255, "l_trust": 0.974, "l_cont": 0.968, "l_mrre": 0.026, "kl_0.1": 0.068},
    ("topological autoencoder", MOOR): {"mse": 0.0302, "l_trust": 0.956, "l_cont": 0.980, "l_mrre": 0.032, "kl_0.1": 0.054},
    ("UMAP", MOOR): {"l_trust": 0.959, "l_cont": 0.981, "l_mrre": 0.029, "kl_0.1": 0.065},
    ("PCA", MOOR): {"mse": 0.0461, "l_trust": 0.917, "l_cont": 0.968, "l_mrre": 0.057, "kl_0.1": 0.052},
}

PUBLISHED = {"fashion_mnist": FASHION_MNIST}
"""(name, source) → values, of the 10,000 official test images."""

RELEASED_LOSS = {"fashion_mnist": 0.10105}
"""The validation loss of checkpoints/released, by data set."""
