"""The arm as a body in Gazebo's physics: a Gazebo of our own, and the fleet it moves (no ROS)."""
