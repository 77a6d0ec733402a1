# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Check recordings of sample episodes; complete ones get the name of a bag."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.seal import read_seal, seal
from neuron_reach.bags.summary import BagSummary, summarize
from neuron_reach.common.files import fsync
from neuron_reach.common.names import PARTIAL, SEAL, beside
from neuron_reach.common.paths import EMPTY_BAG, holds_nothing, is_bag
from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.records.belonging import check_record, check_whole
from neuron_reach.records.recording import read_records


def keep(bag: Path, checkpoint: Path, episodes: int) -> BagSummary:
    """Check the recording `<bag>.partial`, seal it and give it its name.

    Args:
        bag: its final name.
        checkpoint: the network whose activity was recorded.
        episodes: the number requested.

    Returns:
        A summary of the bag.

    Raises:
        UserError: it is incomplete, or of another network; it then keeps its name, and is not
            used as a bag.
    """
    partial = beside(bag, PARTIAL)
    if not is_bag(partial):
        raise UserError(f'{partial}: nothing was recorded')
    summary = summarize(partial)
    network = load_checkpoint(checkpoint).network
    digest = network_digest(network)
    problems = [summary.incomplete] if summary.incomplete else []
    robots = list(summary.robots.values())
    if [robot.requested for robot in robots] != [episodes]:
        problems.append(f'it does not say that {episodes} episodes of one robot were asked for')
    if any(
        robot.networks != (digest,) or tuple(robot.neurons.values()) != network.sizes
        for robot in robots
    ):
        problems.append(f'it is not of {checkpoint}')
    if problems:
        raise UserError(
            f'{partial}: the recording is not whole and is not used ({"; ".join(problems)}); '
            'the same command records it again'
        )
    seal_and_name(bag, episodes, digest)
    return dataclasses.replace(summary, bags=(str(bag),), sealed=True)


def seal_and_name(bag: Path, episodes: int, digest: str) -> None:
    """Seal the recording `<bag>.partial`, which was checked, and give it its name.

    Args:
        bag: its final name.
        episodes: the number requested.
        digest: of the network.

    Raises:
        UserError: a file cannot be written, or there is another bag.
    """
    partial = beside(bag, PARTIAL)
    seal(partial, episodes, digest)
    if not holds_nothing(bag):
        raise UserError(f'{bag}: exists already; what was recorded is in {partial}')
    shutil.rmtree(bag, ignore_errors=True)  # left by a failed recording
    for item in (*partial.iterdir(), partial):
        fsync(item)
    partial.rename(bag)
    fsync(bag.parent)


def remove_unfinished(bag: Path, checkpoint: Path) -> list[Path]:
    """Remove unfinished earlier recordings of this bag; return the other ones beside it.

    Args:
        bag: a complete one; unfinished recordings in its place were moved to `<bag>.partial-<n>`.
        checkpoint: the network whose activity was recorded.

    Returns:
        Recordings of other networks, complete ones, and those that cannot be read or removed.
    """
    digest = network_digest(load_checkpoint(checkpoint).network)
    name = re.compile(re.escape(f'{bag.name}{PARTIAL}-') + r'\d+')
    others = []
    for folder in sorted(item for item in bag.parent.iterdir() if name.fullmatch(item.name)):
        if _is_of(folder, digest):
            shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            others.append(folder)
    return others


def _is_of(folder: Path, network: str) -> bool:
    """Return whether a folder holds nothing but an unfinished recording of a network."""
    if holds_nothing(folder):
        return True
    if (folder / SEAL).exists() or not is_bag(folder):
        return False
    try:
        summary = summarize(folder)
    except UserError:  # such as the first bytes that a full disk took
        return sum(item.stat().st_size for item in folder.iterdir()) < EMPTY_BAG
    if not sum(summary.messages.values()):
        return True
    return [robot.networks for robot in summary.robots.values()] == [(network,)]


def check(bag: Path, checkpoint: Path, episodes: int) -> None:
    """Make sure that a bag is complete and of a network.

    Args:
        bag: recorded before.
        checkpoint: the network.
        episodes: the smallest number that it must hold.

    Raises:
        UserError: it is not.
    """
    advice = 'move it away or name another run_dir'
    loaded = load_checkpoint(checkpoint)
    sealed = read_seal(bag)
    if sealed is not None:
        if sealed.network != network_digest(loaded.network):
            raise UserError(f'{bag}: is of another network than {checkpoint}; {advice}')
        if sealed.episodes < episodes:
            raise UserError(f'{bag}: holds {sealed.episodes} of {episodes} episodes; {advice}')
    try:
        if sealed is not None:
            reader = BagReader(bag)
            reader.check_digests()
            if reader.incomplete:
                raise UserError(reader.incomplete)
            return
        record = read_records(bag)
        check_record(loaded, record, bag)
        check_whole(record, bag, episodes)
    except UserError as error:
        raise UserError(f'{error}; {advice}') from None
