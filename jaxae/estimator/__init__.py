"""The model as a scikit-learn transformer."""
