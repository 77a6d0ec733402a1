"""Prune a trained network and retrain it, several times."""

from launch import LaunchDescription

from neuron_reach.launching.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    return describe('prune-train')
