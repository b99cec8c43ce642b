"""Data sets: names and files → uint8 arrays with a digest, splits and class names."""
