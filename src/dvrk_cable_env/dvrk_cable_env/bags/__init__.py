"""Turns recorded bags (rosbag2) of a robot or a simulation into episodes."""
