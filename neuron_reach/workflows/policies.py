# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Policies of any origin on disk, and records of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from neuron_reach.errors import UserError
from neuron_reach.policies.loading import load
from neuron_reach.policies.policy import Policy
from neuron_reach.records.belonging import check_layers, check_network, check_whole
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records


def load_policy(network: Network, role: str) -> Policy:
    """Return the policy of a network on disk.

    Args:
        network: of any origin.
        role: what it is needed for, for the message.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = network.policy or network.checkpoint
    if path is None:
        network.load(role)  # raises, saying why
    assert path is not None
    return load(path)


def missing_episodes(name: object, advice: str = '') -> UserError:
    """Return the error that there are no sample episodes of a policy.

    Args:
        name: of the policy on the command line.
        advice: what else can be given instead of a bag.
    """
    return UserError(
        f'{name}: there are no episodes of it; record them '
        f'(neuron_reach record {name} --env ENV_ID -o DIR) and give --bag DIR{advice}'
    )


def checked(network: Network, record: ActivityRecord) -> ActivityRecord:
    """Return a record after checking that it is of a network of any origin; see `Network.checked`.

    Raises:
        UserError: it is not.
    """
    if network.policy is None:
        return network.checked(record)
    policy = load(network.policy)
    note = check_network(policy.network, record, network.bag, network.policy)
    return record if note is None else dataclasses.replace(record, notes=(*record.notes, note))


def read_episodes(
    network: Network, bag: Path, episodes: int | None, namespace: str | None
) -> ActivityRecord:
    """Read recorded sample episodes of a network of any origin, with all its layers.

    Args:
        network: that the episodes are of.
        bag: where they were recorded.
        episodes: how many of them; None: all.
        namespace: of the topics, needed only where the bag holds several robots.

    Raises:
        UserError: the bag is damaged, not whole, lacks layers, or is of another network.
    """
    record = own_episodes(network, bag, read_records(bag, namespace=namespace))
    check_whole(record, bag, episodes)
    return record if episodes is None else record.first(episodes)


def own_episodes(network: Network, bag: Path, record: ActivityRecord) -> ActivityRecord:
    """Return what was read from a bag, after checking that all layers of a network are in it.

    Raises:
        UserError: it lacks layers, or is of another network.
    """
    check_layers(record, bag)
    return checked(dataclasses.replace(network, bag=bag), record)
