"""Recorded activity: message layouts, and the reading and writing of bags without ROS."""
