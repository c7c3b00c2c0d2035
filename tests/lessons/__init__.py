"""What the lessons say, and the exercises they set, solved: one file for each, run once in its quick mode."""
