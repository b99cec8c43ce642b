"""What is measured of a trained model, beside rivals and published results."""
