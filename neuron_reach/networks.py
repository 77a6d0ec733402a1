"""Networks on disk: checkpoints, run folders, bags, and folders of those."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

from neuron_reach.bags import layout
from neuron_reach.bags.reader import BagReader, is_storage
from neuron_reach.bags.robots import Robot, choose_robot
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint


@dataclasses.dataclass(frozen=True)
class Network:
    """A network on disk.

    Attributes:
        name: where it was found.
        checkpoint: its checkpoint folder; None for a bag whose checkpoint is gone.
        bag: recorded sample episodes; None: they are played when needed.
        namespace: of its topics in the bag; None: there is but one robot in it.
    """

    name: str
    checkpoint: Path | None
    bag: Path | None
    namespace: str | None = None

    def load(self, role: str) -> Checkpoint:
        """Load the checkpoint.

        Args:
            role: what the network itself is needed for, for the message.

        Raises:
            UserError: there is none, or it is damaged.
        """
        if self.checkpoint is None:
            raise UserError(
                f'{self.bag}: {role}, but the checkpoint it was recorded with is gone; '
                'give a checkpoint or a run folder instead'
            )
        return load_checkpoint(self.checkpoint)

    def same(self, other: Network) -> bool:
        """Tell whether it is the same network as another."""
        if self.checkpoint is None or other.checkpoint is None:
            return self.bag is not None and (
                (self.bag, self.namespace) == (other.bag, other.namespace)
            )
        return self.checkpoint.resolve() == other.checkpoint.resolve()


def find_networks(path: Path, namespace: str | None = None) -> list[Network]:
    """Find the networks at a path: a checkpoint, a run folder, a bag, or a folder of those.

    Args:
        path: where to look.
        namespace: of the topics, needed only where a bag holds several robots.

    Raises:
        UserError: there is none, or a bag holds several robots to choose from.
    """
    if not path.exists():
        raise UserError(f'{path}: no such file or folder')
    network = _network_at(path, namespace)
    if network is not None:
        return [network]
    members = sorted(path.iterdir()) if path.is_dir() else []
    networks = [
        found for member in members if (found := _network_at(member, namespace)) is not None
    ]
    if not networks:
        raise UserError(f'{path}: is no checkpoint, run folder or bag, and holds none')
    return networks


def _network_at(path: Path, namespace: str | None) -> Network | None:
    if (path / 'metadata.json').exists():
        return Network(str(path), path, None)
    if (path / 'checkpoint' / 'metadata.json').exists():
        bag = path / 'bag'
        return Network(str(path), path / 'checkpoint', bag if _is_bag(bag) else None, namespace)
    if _is_bag(path):
        reader = BagReader(path)
        robot = choose_robot(path, reader, namespace)
        checkpoint = _checkpoint_of(path, reader, robot)
        name = str(path) if namespace is None else f'{path} {robot.namespace or "/"}'
        return Network(name, checkpoint, path, namespace)
    return None


def _is_bag(path: Path) -> bool:
    if path.is_dir():
        return any(is_storage(item.name) for item in path.iterdir())
    return is_storage(path.name) and path.is_file()


def _checkpoint_of(bag: Path, reader: BagReader, robot: Robot) -> Path | None:
    """Return the checkpoint a robot was recorded with: where it says, or beside the bag."""
    places = []
    topic = robot.topic(layout.CHECKPOINT)
    for channel, _, data in reader.read(lambda channel: channel.topic == topic):
        with suppress(layout.LayoutError):  # somebody else's message
            message = reader.decode(channel, data)
            places = [Path(layout.decode_checkpoint(message.data).path)]
    places += [parent / 'checkpoint' for parent in list(bag.resolve().parents)[:2]]
    return next((place for place in places if (place / 'metadata.json').exists()), None)
