"""Whether kills, damaged files and changes to the code are noticed."""
