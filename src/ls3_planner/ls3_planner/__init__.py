"""How LS3 acts. Only the `*_node` modules import rclpy."""
