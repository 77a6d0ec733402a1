# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Networks on disk: checkpoints, run folders, bags, and folders of those."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

from neuron_reach import messages
from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.robots import Robot, choose_robot
from neuron_reach.bags.summary import BagSummary
from neuron_reach.common.files import read_json
from neuron_reach.common.lookup import find_checkpoint, find_members
from neuron_reach.common.names import CHECKPOINT, POLICY_FOLDER, RESULTS
from neuron_reach.common.paths import bag_in, checkpoint_in, is_checkpoint, policy_in
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint, network_digest
from neuron_reach.records.belonging import check_record, check_whole
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import read_records

MOST_COMPUTED = 2**30
"""Bytes of a bag up to which activations are computed anew to tell whose they are."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A network on disk.

    Attributes:
        name: where it was found.
        checkpoint: its checkpoint folder; None for a policy of other origin, and for a bag whose
            checkpoint is gone.
        bag: recorded sample episodes; None: they are played when needed.
        namespace: of its topics in the bag; None: there is but one robot in it.
        gone: what became of the checkpoint, if there is none.
        policy: the file or folder of a policy of other origin.
    """

    name: str
    checkpoint: Path | None
    bag: Path | None
    namespace: str | None = None
    gone: str = ''
    policy: Path | None = None

    def load(self, role: str) -> Checkpoint:
        """Load the checkpoint.

        Args:
            role: what the network itself is needed for, for the message.

        Raises:
            UserError: there is none, or it is damaged.
        """
        if self.policy is not None:
            raise UserError(f'{self.policy}: is not a network for the reaching task, but {role}')
        if self.checkpoint is None:
            raise UserError(
                f'{self.bag}: {role}, but the checkpoint it was recorded with {self.gone}; '
                'give a checkpoint or a run folder instead'
            )
        return load_checkpoint(self.checkpoint)

    def same(self, other: Network) -> bool:
        """Tell whether it is the same network as another."""
        paths = [network.policy or network.checkpoint for network in (self, other)]
        if None in paths:
            return self.bag is not None and (
                (self.bag, self.namespace) == (other.bag, other.namespace)
            )
        mine, theirs = (path.resolve() for path in paths if path is not None)
        return mine == theirs

    def recorded(self) -> ActivityRecord:
        """Return the record in its bag, having made sure that it is whole, and of this network.

        Notes of the record say where that cannot be told.

        Raises:
            UserError: it is not, or cannot be read.
        """
        assert self.bag is not None
        record = read_records(self.bag, namespace=self.namespace)
        check_whole(record, self.bag)
        return self.checked(record)

    def checked(self, record: ActivityRecord) -> ActivityRecord:
        """Return a record of its bag, having made sure that it is of this network.

        A note of the record says where that cannot be told.

        Raises:
            UserError: it is not.
        """
        if self.checkpoint is None or self.bag is None:
            return record
        note = check_record(load_checkpoint(self.checkpoint), record, self.bag)
        return record if note is None else dataclasses.replace(record, notes=(*record.notes, note))


def find_networks(path: Path, namespace: str | None = None) -> list[Network]:
    """Find the networks at a path: one (see `network_at`), or those of all members of a folder.

    Args:
        path: where to look.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: there is none, or a bag holds several robots to choose from.
    """
    if not path.exists():
        raise UserError(f'{path}: no such file or folder')
    network = network_at(path, namespace)
    if network is not None:
        return [network]
    found = [network_at(member, namespace) for member in find_members(path)]
    return [network for network in found if network is not None]


def load_network(path: Path) -> Checkpoint:
    """Load the network at a path, see `network_at`; that of a bag if its checkpoint is there.

    Raises:
        UserError: there is none, or it is damaged.
    """
    network = network_at(path)
    if network is None:
        return load_checkpoint(find_checkpoint(path))  # says what is there
    return network.load('its network is asked for')


def network_at(path: Path, namespace: str | None = None) -> Network | None:
    """Return the network at a path, None if there is no folder with one network, and no bag.

    A policy file or folder has the bag beside it, as `record` leaves it.

    Args:
        path: where to look.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: a bag holds several robots to choose from, or cannot be read.
    """
    policy = policy_in(path)
    if policy is not None:
        bag = bag_in(policy.parent) if policy == path else None
        return Network(str(path), None, bag, namespace, policy=policy)
    checkpoint = checkpoint_in(path)
    if checkpoint is not None:
        folder = checkpoint.parent
        beside = checkpoint != path and not _of_pruned(folder)
        return Network(str(path), checkpoint, bag_in(folder) if beside else None, namespace)
    bag = bag_in(path)
    if bag is None:
        return None
    reader = BagReader(bag)
    reader.check_digests()
    robot = choose_robot(bag, reader, namespace)
    origin, gone = _origin(bag, reader, robot)
    name = str(path) if namespace is None else f'{path} {robot.namespace or "/"}'
    if origin is not None and not is_checkpoint(origin):
        return Network(name, None, bag, namespace, policy=origin)
    return Network(name, origin, bag, namespace, gone)


def _of_pruned(folder: Path) -> bool:
    """Tell whether the bag in a folder is of the network that was pruned there.

    A step of a reduction records the network before it, and trains another one.
    """
    if not (folder / RESULTS['prune']).exists():
        return False
    results = read_json(folder / RESULTS['prune'], {'source': str})
    pruned_by, own = results.get('bag'), folder.resolve()
    if not isinstance(pruned_by, str) or Path(pruned_by).parent.name != own.name:
        return False  # by episodes from elsewhere
    return Path(results['source']) != own / CHECKPOINT


def _origin(bag: Path, reader: BagReader, robot: Robot) -> tuple[Path | None, str]:
    """Return the checkpoint or policy a robot was recorded with, or None and what became of it.

    It is where the bag says, or beside the bag. The weights of policies are not compared here.
    """
    places: list[Path] = []
    digests: set[str | None] = set()
    announcing = robot.namespace, messages.CHECKPOINT
    for channel, _, data in reader.read(lambda channel: channel.project_topic == announcing):
        with suppress(messages.LayoutError):  # somebody else's message
            announced = messages.decode_checkpoint(reader.decode(channel, data).data)
            places = [Path(announced.path)]
            digests.add(announced.network)
    parents = list(bag.resolve().parents)[:2]
    places += [parent / name for parent in parents for name in (CHECKPOINT, POLICY_FOLDER)]
    origins = [policy_in(place) or checkpoint_in(place) for place in places]
    found = [origin for origin in origins if origin is not None]
    if not found:
        return None, 'is gone'
    if len(digests) != 1 or None in digests:
        return found[0], ''
    for place in found:
        if not is_checkpoint(place):
            return place, ''
        if network_digest(load_checkpoint(place).network) in digests:
            return place, ''
    return None, f'is gone ({found[0]} holds other weights)'


def tell_origin(folder: Path, summary: BagSummary) -> str:
    """Say whether the bag in a run folder is of the network in it.

    Args:
        folder: with a checkpoint and a bag.
        summary: of the bag.

    Raises:
        UserError: a file cannot be read.
    """
    checkpoint, bag = find_checkpoint(folder), bag_in(folder)
    assert bag is not None
    if _of_pruned(folder):
        return 'It is of the network that was pruned here.'
    if len(summary.robots) != 1:
        return f'It cannot be told which of its robots is that of {checkpoint}.'
    loaded = load_checkpoint(checkpoint)
    (namespace, robot), *_ = summary.robots.items()
    if robot.networks:
        own = robot.networks == (network_digest(loaded.network),)
        return 'It is of this network.' if own else f'It is of another network than {checkpoint}!'
    files = bag.iterdir() if bag.is_dir() else [bag]
    if sum(file.stat().st_size for file in files) > MOST_COMPUTED:
        return 'It does not say of which network it is.'
    try:
        note = check_record(loaded, read_records(bag, namespace=namespace), bag)
    except UserError as error:
        return f'It does not fit this network: {error}'
    return note or 'It is of this network: the activations are those that it computes.'
