"""The report of a run: one page for people, after its files were checked against each other."""
