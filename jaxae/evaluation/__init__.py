"""Measurements and figures of a trained model, with rivals and published results."""
