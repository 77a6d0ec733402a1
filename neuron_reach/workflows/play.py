# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Record a policy that is played in this process into a bag."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from neuron_reach.arm.simulator import CONTROL_PERIOD
from neuron_reach.common.names import BAG, POLICY_FOLDER
from neuron_reach.common.paths import holds_nothing
from neuron_reach.common.progress import ShowProgress
from neuron_reach.common.results import make_folder
from neuron_reach.errors import UserError
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.policies.loading import load
from neuron_reach.policies.playing import PlayOptions, record_policy
from neuron_reach.policies.policy import Policy
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records
from neuron_reach.records.writing import same, write_record
from neuron_reach.workflows.record import seal_and_name


def record_played(
    path: Path,
    folder: Path,
    env: str | None,
    options: PlayOptions,
    storage: str,
    normalization: Path | None,
    progress: ShowProgress,
    *,
    part: str | None = None,
    activation: str | None = None,
) -> ActivityRecord:
    """Play episodes and leave them in `<folder>/bag`.

    The bag is written as `bag.partial`, read again and compared with what was played before it
    gets its name. If the file alone does not say what was played, the policy is left beside it.

    Args:
        path: of the policy.
        folder: where the bag is left.
        env: name of a Gymnasium environment; None: the reaching task.
        options: how episodes are played.
        storage: format of the bag.
        normalization: file with statistics of the observations; None: there are none.
        progress: shows how far it is.
        part: which network of the file, see `load`.
        activation: function of the hidden layers, where the file does not say it.

    Raises:
        UserError: there is a bag already, the policy cannot be loaded or does not fit, or the bag
            cannot be written.
    """
    bag = folder / BAG
    if not holds_nothing(bag):
        raise UserError(f'{bag} exists already; name another folder')
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f'{folder}: is no folder; name another one')
    policy = load(path, part=part, activation=activation)
    if normalization is not None:
        if not isinstance(policy, FeedForwardPolicy):
            raise UserError(f'{path}: observations of the reaching task are not normalized')
        policy = policy.with_normalization(normalization)
    if any(given is not None for given in (normalization, part, activation)):
        path = policy.save(folder / POLICY_FOLDER)
    record, period = _play(policy, env, options, progress)
    known = {**record.network, 'path': str(path.resolve()), 'episodes': options.episodes}
    record = dataclasses.replace(record, network=known)
    make_folder(folder)
    partial = write_record(record, bag, period, storage, progress)
    if not same(record, read_records(partial)):
        raise UserError(f'{partial}: holds something else than was recorded; it is not used')
    seal_and_name(bag, options.episodes, record.network['digest'])
    return record


def _play(
    policy: Policy, env: str | None, options: PlayOptions, progress: ShowProgress
) -> tuple[ActivityRecord, float]:
    """Return the record and the seconds of a step."""
    if env is not None:
        return record_policy(policy, env, options, progress)
    if policy.joints is not None:
        progress('reaching', 0, options.episodes)
    return policy.record(episodes=options.episodes, seed=options.seed), CONTROL_PERIOD
