# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recording with `ros2 bag record`, which does not apply the namespace of a node.

So node `bag_recorder` resolves the topics' names, and starts and stops the recorder.
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
from neuron_reach.nodes.duplicates import (
    BAG_RECORDER,
    DuplicateDetector,
    WatchedTopic,
    publisher_role,
)
from neuron_reach.nodes.loop import Loop
from neuron_reach.nodes.publishing import RECORDED_DEPTH


def is_installed() -> bool:
    """Tell whether `ros2 bag record` is installed."""
    return (
        bool(shutil.which('ros2')) and has_package('rosbag2_transport') and has_package('ros2bag')
    )


def overrides(names: dict[str, str]) -> dict[str, dict[str, object]]:
    """Return the quality of service that rosbag2 is to request, by full topic name.

    Topics that are not always reliable, or that are latched, are omitted: for these rosbag2
    requests what their publishers offer.

    Args:
        names: full names of the topics by relative name.
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
        node: that represents the recorder in the ROS graph.
        bag: folder of the new bag.
        storage: format of the bag.
        names: full names of the topics by relative name.
        keep_partial: leave the bag in `<bag>.partial`.

    Raises:
        UserError: the bag exists, or is being recorded by another process.
        SpoiledError: several nodes publish on a topic.
    """
    moved = make_room(bag, keep_partial=keep_partial)
    if moved is not None:
        node.get_logger().warning(f'an unfinished bag was moved to {moved}')
    partial = beside(bag, PARTIAL)
    watched = [WatchedTopic(topic, publisher_role(topic)) for topic in names]
    duplicates = DuplicateDetector(node, BAG_RECORDER, watched)

    def check() -> None:
        duplicates.check()
        for topic in names:
            if topic != messages.JOINT_STATES:  # other robots' may be on the same topic
                duplicates.require_one_publisher(topic)

    duplicates.check_at_start()
    loop = Loop(node, check)
    with tempfile.TemporaryDirectory() as folder:
        qos = Path(folder, 'qos.yaml')
        qos.write_text(yaml.safe_dump(overrides(names)), encoding='utf-8')
        command = ['ros2', 'bag', 'record', '--qos-profile-overrides-path', str(qos)]
        command += ['-s', storage, '-o', str(partial)]
        # Jazzy introduced --topics and deprecated names without it.
        command += ['--topics'] if os.environ.get('ROS_DISTRO') not in ('humble', 'iron') else []
        recorder = subprocess.Popen(
            [*command, *names.values()], start_new_session=True, preexec_fn=end_with_parent
        )
        lock_descriptor = None
        try:
            while recorder.poll() is None:
                loop.wait(1.0)
                if lock_descriptor is None and partial.exists():
                    lock_descriptor = lock(partial)
        except KeyboardInterrupt:
            recorder.send_signal(signal.SIGINT)
            code = abs(recorder.wait())
            if code not in (0, signal.SIGINT):  # `ros2` may return the signal's number
                return code
            if partial.exists() and not keep_partial:
                partial.rename(bag)
            return 0
        except SpoiledError:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
            raise
    return recorder.returncode or 1
