"""Configuration, files, processes and ROS helpers that all LS3 packages share."""
