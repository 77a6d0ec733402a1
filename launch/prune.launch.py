"""The old name of prune_train.launch.py."""

from launch import LaunchDescription
from launch.actions import LogInfo

from neuron_reach.launching.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    renamed = LogInfo(msg='prune.launch.py is now: prune_train.launch.py')
    return LaunchDescription([renamed, *describe('prune-train').entities])
