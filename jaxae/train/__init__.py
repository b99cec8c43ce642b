"""The training loop, and what it needs of members and files."""
