"""A denoising autoencoder with a 2-D latent space, as pure functions on JAX."""
