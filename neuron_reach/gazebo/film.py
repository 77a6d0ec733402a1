# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Record an animated picture of arms in Gazebo with a simulated camera."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.arm.task import ReachingTask
from neuron_reach.common.animation import check_name, write_animation
from neuron_reach.common.random_streams import training_streams
from neuron_reach.errors import UserError
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.tree import end_with_parent
from neuron_reach.learning.qnetwork import greedy
from neuron_reach.learning.rollout import play
from neuron_reach.records.networks import load_network

SIZE = (400, 300)
"""Width and height of the pictures."""

CAMERA_TIMEOUT = 30.0
"""Seconds for the camera to take its first picture."""

EVERY = 2
"""Control cycles per kept picture."""

CAMERA = """
<model name="camera">
  <static>true</static>
  <pose>0 -2.4 0.35 0 0.08 1.5707963</pose>
  <link name="link">
    <sensor name="film" type="camera">
      <update_rate>{rate}</update_rate>
      <always_on>true</always_on>
      <camera>
        <horizontal_fov>0.95</horizontal_fov>
        <image><width>{width}</width><height>{height}</height></image>
        <clip><near>0.1</near><far>50</far></clip>
        <save enabled="true"><path>{folder}</path></save>
      </camera>
    </sensor>
  </link>
</model>
"""


def film(checkpoint: str | Path, file: str | Path, episodes: int) -> int:
    """Film a trained network's greedy episodes; return the number of pictures.

    Args:
        checkpoint: folder of the network.
        file: where to write, `.gif` or `.png` (animated).
        episodes: number of episodes.

    Raises:
        UserError: there is no display or no Gazebo, or the checkpoint or file name is invalid.
    """
    file = Path(file)
    check_name(file)
    loaded = load_network(Path(checkpoint))
    setup = loaded.setup
    task = ReachingTask(setup.task, setup.arm)
    goals = task.sample_goals(training_streams(loaded.metadata['seed'])['test'], episodes)
    with display(), tempfile.TemporaryDirectory() as folder:
        camera = CAMERA.format(
            rate=round(1 / CONTROL_PERIOD), width=SIZE[0], height=SIZE[1], folder=folder
        )
        with GazeboArms(setup.arm, 1, extra=camera, arguments=('--lockstep',)) as arms:
            _wait_for_camera(arms, Path(folder))
            for goal in goals:
                arms.show_goals(goal)
                play(arms, task, goal[None, None], lambda seen: greedy(loaded.network, seen))
        pictures = sorted(Path(folder).iterdir(), key=_number)[::EVERY]
        frames = [_read(picture) for picture in pictures]
    duration = round(1000 * CONTROL_PERIOD * EVERY)
    write_animation(frames, file, [duration] * len(frames))
    return len(frames)


def _wait_for_camera(arms: GazeboArms, folder: Path) -> None:
    """Advance until the camera works; from then on it takes a picture in every cycle."""
    deadline = time.monotonic() + CAMERA_TIMEOUT
    while not any(folder.iterdir()):
        if time.monotonic() > deadline:
            raise UserError('the camera takes no pictures; does the display support OpenGL?')
        arms.receive()
        time.sleep(0.02)
    for picture in folder.iterdir():
        picture.unlink()


def _read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        frame: Image.Image = picture.convert('RGB')
    return frame


def _number(path: Path) -> int:
    return int(path.stem.rpartition('-')[2])


@contextlib.contextmanager
def display() -> Iterator[None]:
    """Provide an X display: the existing one, or else a virtual one.

    Raises:
        UserError: there is no display, and Xvfb is not installed or does not start.
    """
    if os.environ.get('DISPLAY'):
        yield
        return
    xvfb = shutil.which('Xvfb')
    if xvfb is None:
        raise UserError('a camera needs a display; on Debian and Ubuntu: apt install xvfb')
    reading, writing = os.pipe()
    command = [xvfb, '-displayfd', str(writing), '-screen', '0', '800x600x24', '-nolisten', 'tcp']
    with subprocess.Popen(
        command,
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent,
    ) as process:
        os.close(writing)
        try:
            with os.fdopen(reading) as pipe:
                number = pipe.readline().strip()
            if not number:
                raise UserError('Xvfb does not start')
            os.environ['DISPLAY'] = f':{number}'
            yield
        finally:
            os.environ.pop('DISPLAY', None)
            process.terminate()
