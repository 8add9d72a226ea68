"""What LS3 learns. Only `ls3_models.encoder_node` imports rclpy."""
