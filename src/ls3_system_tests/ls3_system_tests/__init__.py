"""Measurements of the whole running graph: latency, and campaigns of faults."""
