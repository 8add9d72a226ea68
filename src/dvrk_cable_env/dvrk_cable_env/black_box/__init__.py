"""Keeps the last minute before the arm was latched."""
