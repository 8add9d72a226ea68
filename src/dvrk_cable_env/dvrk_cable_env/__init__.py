"""The real robot's side of cable routing. Only the `*_node` modules import rclpy."""
