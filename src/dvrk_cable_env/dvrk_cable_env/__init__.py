"""The robot side of cable routing: segmentation of camera frames, arm control, bags, calibration.

Only the `*_node` modules, their topic helpers and the arm back-ends import rclpy.
"""
