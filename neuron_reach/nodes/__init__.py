"""The ROS 2 nodes, thin layers over the other folders; no other folder imports rclpy."""
