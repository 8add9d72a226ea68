"""Comparisons over many runs: results, tables, figures, sweeps."""
