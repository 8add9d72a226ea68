"""What every LS3 package shares. Only `ls3_common.ros` and `.health` import rclpy."""
