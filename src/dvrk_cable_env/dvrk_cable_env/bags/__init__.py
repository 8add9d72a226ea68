"""Recorded bags to episodes."""
