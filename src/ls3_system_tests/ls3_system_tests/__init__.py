"""Measurements of the running graph as a whole: latency, and faults."""
