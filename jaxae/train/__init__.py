"""The training loop, and what it needs of devices, processes, members and files."""
