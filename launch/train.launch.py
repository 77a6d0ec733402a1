"""Train an arm to reach over ROS topics, then record sample episodes into a bag."""

from launch import LaunchDescription

from neuron_reach.launching.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    return describe('train')
