"""Describes a run: its domain, its method, its data, its directory and its provenance."""
