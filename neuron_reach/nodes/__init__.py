"""Thin ROS 2 nodes over the core: the only place that imports rclpy."""
