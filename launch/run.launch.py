"""Run a trained network live, one control cycle every 50 ms, until Ctrl-C."""

from launch import LaunchDescription

from neuron_reach.launching.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    return describe('run')
