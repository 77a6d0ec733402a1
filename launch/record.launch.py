"""Record sample episodes of a trained network, with all activations, into a bag."""

from launch import LaunchDescription

from neuron_reach.launching.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    return describe('record')
