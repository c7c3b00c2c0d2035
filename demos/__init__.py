"""Lessons, one a file, on real data; `python -m demos` is the tour."""
