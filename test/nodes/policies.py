# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options of small networks, and how to follow their training; shared by tests."""

import time

from neuron_reach.learning.setup import Setup

SMALL = {
    'joints': 1,
    'hidden': [16, 16],
    'arms': 20,
    'batch_size': 32,
    'validation_interval': 100,
}
TRAINING = {**SMALL, 'mode': 'train', 'test_episodes': 0}
ENDLESS = {**TRAINING, 'success_reward': 1.0, 'checkpoint_interval': 0.2}
"""Nobody reaches a goal exactly, so this training goes on until it is interrupted."""


def small_setup(**options):
    return Setup.from_values({**SMALL, **options}, 'test')


def finished_rounds(run_dir):
    folders = (run_dir / 'checkpoints').glob('episode_*')
    return sorted(int(path.name.split('_')[1]) for path in folders if path.suffix == '')


def wait_until(condition, what, timeout=60.0):
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f'no {what}'
        time.sleep(0.02)
    return result


def one_line(running):
    """Return the one line of a process that ended with an error."""
    assert running.finish() == 2, running.text
    assert running.text.count('\n') == 1, running.text
    return running.text
