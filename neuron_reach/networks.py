"""Networks on disk: checkpoints, run folders, bags, and folders of those."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from neuron_reach.bags import layout
from neuron_reach.bags.reader import BagReader
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import Checkpoint, load_checkpoint


@dataclasses.dataclass(frozen=True)
class Network:
    """A network on disk.

    Attributes:
        name: where it was found.
        checkpoint: its checkpoint folder; None for a bag whose checkpoint is gone.
        bag: recorded sample episodes; None: they are played when needed.
    """

    name: str
    checkpoint: Path | None
    bag: Path | None

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
            return self.bag is not None and self.bag == other.bag
        return self.checkpoint.resolve() == other.checkpoint.resolve()


def find_networks(path: Path) -> list[Network]:
    """Find the networks at a path: a checkpoint, a run folder, a bag, or a folder of those.

    Raises:
        UserError: there is none.
    """
    if not path.exists():
        raise UserError(f'{path}: no such file or folder')
    network = _network_at(path)
    if network is not None:
        return [network]
    members = sorted(path.iterdir()) if path.is_dir() else []
    networks = [found for member in members if (found := _network_at(member)) is not None]
    if not networks:
        raise UserError(f'{path}: is no checkpoint, run folder or bag, and holds none')
    return networks


def _network_at(path: Path) -> Network | None:
    if (path / 'metadata.json').exists():
        return Network(str(path), path, None)
    if (path / 'checkpoint' / 'metadata.json').exists():
        bag = path / 'bag'
        return Network(str(path), path / 'checkpoint', bag if _is_bag(bag) else None)
    if _is_bag(path):
        return Network(str(path), _checkpoint_of(path), path)
    return None


def _is_bag(path: Path) -> bool:
    if path.is_dir():
        return any(item.suffix in ('.mcap', '.db3') for item in path.iterdir())
    return path.suffix in ('.mcap', '.db3') and path.is_file()


def _checkpoint_of(bag: Path) -> Path | None:
    """Return the checkpoint a bag was recorded with: where it says, or beside the bag."""
    places = []
    for _, _, message in BagReader(bag).messages([layout.CHECKPOINT]):
        try:
            places = [Path(layout.decode_checkpoint(message.data).path)]
        except layout.LayoutError as error:
            raise UserError(f'{bag}: {error}') from None
    places += [parent / 'checkpoint' for parent in list(bag.resolve().parents)[:2]]
    return next((place for place in places if (place / 'metadata.json').exists()), None)
