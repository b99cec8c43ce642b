"""A run described for people: the model card beside its exports, and the report."""
