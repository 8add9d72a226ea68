"""Data sets: import of bags, export, inspection, labels."""
