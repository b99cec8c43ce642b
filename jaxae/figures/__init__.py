"""Functions from arrays to matplotlib Figures. Nothing here imports the rest of jaxae."""
