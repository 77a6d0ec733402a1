"""Recording with `ros2 bag record`, which knows nothing of the namespace that holds here.

So a node of this package finds out what the topics are called, and starts and ends the recorder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml
from rclpy.node import Node

from neuron_reach import messages
from neuron_reach.bags.writer import lock, make_room
from neuron_reach.common.names import PARTIAL, beside
from neuron_reach.common.processes import end_with_parent
from neuron_reach.common.resources import has_package
from neuron_reach.errors import SpoiledError
from neuron_reach.nodes.common import RECORDED_DEPTH
from neuron_reach.nodes.duplicates import BAG_RECORDER, Company, Watch, role_of
from neuron_reach.nodes.loop import Loop


def is_installed() -> bool:
    """Tell whether there is `ros2 bag record`."""
    return (
        bool(shutil.which('ros2')) and has_package('rosbag2_transport') and has_package('ros2bag')
    )


def overrides(names: dict[str, str]) -> dict[str, dict[str, object]]:
    """Return the quality of service that rosbag2 shall ask for.

    Topics that are not always reliable, or whose newest message is kept, are left to rosbag2,
    which asks for what their publishers offer.

    Args:
        names: full names of the topics by their relative ones.
    """
    adaptive = {messages.JOINT_STATES, messages.GOAL, messages.CHECKPOINT}
    deep = {'history': 'keep_last', 'depth': RECORDED_DEPTH, 'reliability': 'reliable'}
    return {
        full: {**deep, 'durability': 'volatile'}
        for topic, full in names.items()
        if topic not in adaptive
    }


def record(
    node: Node, bag: Path, storage: str, names: dict[str, str], *, keep_partial: bool
) -> int:
    """Record until interrupted; return the exit code.

    Args:
        node: that stands for the recorder.
        bag: folder of the new bag.
        storage: format of the bag.
        names: full names of the topics by their relative ones.
        keep_partial: leave the bag in `<bag>.partial`.

    Raises:
        UserError: the bag exists, or is being recorded by another process.
        SpoiledError: several nodes publish on a topic.
    """
    moved = make_room(bag, keep_partial=keep_partial)
    if moved is not None:
        node.get_logger().warning(f'an unfinished bag was moved to {moved}')
    partial = beside(bag, PARTIAL)
    company = Company(node, BAG_RECORDER, [Watch(topic, role_of(topic)) for topic in names])

    def watch() -> None:
        company.check()
        for topic in names:
            if topic != messages.JOINT_STATES:  # those of other robots may be on the same topic
                company.refuse_several(topic)

    company.look()
    loop = Loop(node, watch)
    with tempfile.TemporaryDirectory() as folder:
        qos = Path(folder, 'qos.yaml')
        qos.write_text(yaml.safe_dump(overrides(names)), encoding='utf-8')
        command = ['ros2', 'bag', 'record', '--qos-profile-overrides-path', str(qos)]
        command += ['-s', storage, '-o', str(partial)]
        # Before Jazzy there was no --topics; since then, the names alone are on their way out.
        command += ['--topics'] if os.environ.get('ROS_DISTRO') not in ('humble', 'iron') else []
        recorder = subprocess.Popen(
            [*command, *names.values()], start_new_session=True, preexec_fn=end_with_parent
        )
        held = None
        try:
            while recorder.poll() is None:
                loop.wait(1.0)
                if held is None and partial.exists():
                    held = lock(partial)
        except KeyboardInterrupt:
            recorder.send_signal(signal.SIGINT)
            code = abs(recorder.wait())
            if code not in (0, signal.SIGINT):  # `ros2` may answer with its number
                return code
            if partial.exists() and not keep_partial:
                partial.rename(bag)
            return 0
        except SpoiledError:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
            raise
    return recorder.returncode or 1
