# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""How fast are distances, clusters and reading?

Distances of 1571 neurons (a 3-joint network of 6 x 256, inputs and outputs included) all-to-all,
next to the bare matrix products they need and to scipy's pdist; the tree of 512 neurons; reading
bags of a 6 x 48 network, next to bare iteration by `rosbags`. Durations are wall-clock times, the
median of some repetitions on all cores; nothing else should be running.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.distance import pdist

from neuron_reach import messages
from neuron_reach.analysis import ActivityRecord, cluster_tree, neuron_distances
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.records.recording import read_records

STEPS = 60


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median duration of some work, after one run to warm up."""
    work()
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return float(np.median(durations))


def random_record(width: int, episodes: int) -> ActivityRecord:
    """Return the activity of a random 3-joint network on smooth random inputs."""
    sizes = (8, *[width] * 6, 27)
    network = QNetwork(sizes)
    network.initialize([torch.Generator().manual_seed(0)], 1.0)
    draw = np.random.default_rng(0)
    inputs = np.cumsum(draw.normal(0.0, 0.05, (episodes, STEPS, 8)), axis=1).astype(np.float32)
    layers = network.activations(torch.from_numpy(inputs.reshape(1, -1, 8)))
    activations = torch.cat(layers, dim=2).numpy().reshape(episodes, STEPS, -1)
    return ActivityRecord(
        activations,
        np.full(episodes, STEPS),
        messages.layer_names(6),
        sizes,
        np.zeros((episodes, 2)),
        np.zeros(episodes),
    )


def bare_products(record: ActivityRecord) -> None:
    """Compute the scalar products of all pairs in each episode, float64, and forget them."""
    product: NDArray[np.float64] = np.empty((record.neurons, record.neurons))
    for block in record.blocks():
        for episode in block.astype(np.float64):
            np.matmul(episode.T, episode, out=product)


def write_bag(path: Path, record: ActivityRecord, arms: int) -> None:
    """Write a bag of all layers with fleets of so many arms."""
    types = humble_types()
    kind = 'std_msgs/msg/Float32MultiArray'
    empty = types.types['std_msgs/msg/MultiArrayLayout']([], 0)
    message = types.types[kind](empty, np.zeros(0, np.float32))
    dimension = types.types['std_msgs/msg/MultiArrayDimension']
    with BagWriter(path, 'mcap') as bag:
        topics = {name: f'/{messages.activation_topic(name)}' for name in record.layers}
        for topic in topics.values():
            bag.add_topic(topic, kind)
        for episode in range(0, record.episodes, arms):
            for step in range(STEPS):
                for name, topic in topics.items():
                    values = record.layer(name)[episode : episode + arms, step]
                    messages.fill_fleet_step(message, dimension, values, episode, step)
                    bag.write(topic, step, types.serialize_cdr(message, kind))


def iterate(path: Path) -> int:
    """Go through all messages of a bag with `rosbags`, without decoding them."""
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        return sum(len(data) for _, _, data in reader.messages())


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--episodes', type=int, default=500)
    parser.add_argument('--repeats', type=int, default=3)
    options = parser.parse_args()
    rows: list[tuple[str, float, str]] = []
    wide = random_record(256, options.episodes)
    own = seconds(lambda: neuron_distances(wide), options.repeats)
    bare = seconds(lambda: bare_products(wide), options.repeats)
    few = wide.first(3).activations.astype(np.float64)
    by_scipy = seconds(lambda: [pdist(episode.T) for episode in few], 1) / 3 * options.episodes
    name = f'distances, {wide.neurons} neurons, {options.episodes} episodes'
    rows.append((name, own, f'{own / bare:.2f} of the bare products ({bare:.1f} s)'))
    rows.append((f'{name}, scipy pdist (from 3 episodes)', by_scipy, f'{by_scipy / own:.0f} times'))
    points = np.random.default_rng(0).normal(size=(512, 20))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    tree = seconds(lambda: cluster_tree(distances), options.repeats)
    rows.append(('within-group tree of 512 neurons', tree, ''))
    narrow = random_record(48, options.episodes)
    for arms in (1, 100):
        with tempfile.TemporaryDirectory() as folder:
            bag = Path(folder, 'bag')
            write_bag(bag, narrow, arms)
            own = seconds(lambda bag=bag: read_records(bag), options.repeats)
            raw = seconds(lambda bag=bag: iterate(bag), options.repeats)
        name = f'reading {narrow.neurons} neurons, {options.episodes} episodes, {arms} arms'
        rows.append((name, own, f'{own / raw:.2f} of bare iteration ({raw:.2f} s)'))
    print('| what | seconds | compared with |\n|---|---|---|')
    for what, duration, remark in rows:
        print(f'| {what} | {duration:.2f} | {remark} |', flush=True)


if __name__ == '__main__':
    main()
