"""Nodes that run, record and film episodes of the node graph."""
