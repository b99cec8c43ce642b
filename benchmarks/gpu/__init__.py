"""How jaxae runs on a GPU."""
