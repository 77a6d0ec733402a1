# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recordings as runs leave them, for tests of what becomes of them."""

from record_bags import write_record

from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.records.recording import record_checkpoint

EPISODES = 6


def record(folder, path, asked=EPISODES, says=True, **changes):
    """Write what a run in the folder would record."""
    checkpoint = load_checkpoint(folder / 'checkpoint')
    digest = [network_digest(checkpoint.network), asked] if says else []
    announced = [(str(checkpoint.path.resolve()), 1, 0, *digest)]
    activity = record_checkpoint(checkpoint, EPISODES)
    given = {'arms': 2, 'checkpoints': announced, 'observations': True, **changes}
    write_record(path, activity, **given)


def keep(folder, episodes=EPISODES):
    return ['recording', 'keep', folder / 'bag', folder / 'checkpoint', episodes]
