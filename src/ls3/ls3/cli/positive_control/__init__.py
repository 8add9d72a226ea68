"""The positive control of the comparisons, `python -m ls3.cli.positive_control`."""
