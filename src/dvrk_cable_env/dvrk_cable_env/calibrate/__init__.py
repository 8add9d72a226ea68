"""Colours, crop and workspace of the camera, found with a person."""
