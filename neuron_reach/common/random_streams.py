# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The registry of random streams: what each is for, and how it is derived from a seed.

Every random number of this package comes from a stream below, except resets of the Gymnasium
environment, which have Gymnasium's own generator, and the goals of a played validation in
`dqn_policy`, which are fresh every time. Results depend on these numbers: none of them may change.

Streams are derived by `numpy.random.SeedSequence` from the words below. It pads them with zeros,
so that [seed, 1] and [seed, 1, 0] are the same; numbers that tell streams apart must not be zero
at the end.

| function | words | purpose |
|---|---|---|
| `training_streams` | seed, spawned | training, validation, test and record of one network |
| `step_seed` | seed, step (from 1) | seed of the training in a reduction step |
| `pruning_streams` | seed, 1, 1 + sample, spawned | goals by which a network is pruned and tested |
| `untrained_seed` | seed, 2 | weights of the untrained network of figure 2 |
| `layer_seed` | seed, 3, step (from 1) | seed of the training after a layer is removed |
| `random_network_seed` | seed, 5, joints, number | weights of the random networks of figure 5 |
| `fresh_goals` | seed, 6 | goals of the validation inputs of figure 5 |
| `episode_seed` | seed, 7, episode (from 1) | start of an episode in a Gymnasium environment |
| `retraining_seed` | seed, 8, step, purpose, number (from 1) | `prune-train` in an environment |
| `stand_in_seed` | seed, side, number | weights of the random networks of the command `map` |
| `permutation_stream` | seed, 2, target, source | order of steps in the command `map` |
| `map_fresh_goals` | seed, 3, target's seed | goals of the validation inputs of the command `map` |
| `resampling_stream` | seed | bootstrap of networks |

The seed of the last four is that of the command or of the bootstrap, that of the others belongs to
a network. Two pairs coincide where both seeds are the same number: `untrained_seed` draws from the
stream of `permutation_stream` for the first target and source, and `stand_in_seed` of the first
target equals `step_seed` of step 1. No command uses both of a pair, and what they seed differs.
"""

from __future__ import annotations

import numpy as np

TRAINING_STREAMS = ('weights', 'exploration', 'sampling', 'goals', 'validation', 'test', 'record')
"""Names of the streams of one network, in the order in which they are spawned."""

PRUNING, UNTRAINED, LAYERS, RANDOM_NETWORKS, FRESH_GOALS, PLAYING, RETRAINING = 1, 2, 3, 5, 6, 7, 8
"""Second words of the streams of networks."""

RETRAINING_PURPOSES = ('record', 'initial', 'train', 'validate', 'confirm', 'measure')
"""What seeds of `retraining_seed` are for; the place of a name belongs to the seed."""

SOURCE, TARGET, PERMUTATION, MAP_FRESH_GOALS = range(4)
"""Second words of the streams of the command `map`; the first two are sides of a mapping."""


def training_streams(seed: int) -> dict[str, np.random.Generator]:
    """Return the independent generators of a network's seed by their names."""
    children = np.random.SeedSequence(seed).spawn(len(TRAINING_STREAMS))
    return dict(zip(TRAINING_STREAMS, map(np.random.default_rng, children), strict=True))


def torch_seed(stream: np.random.Generator) -> int:
    """Draw the seed of a torch generator."""
    return int(stream.integers(2**62))


def step_seed(seed: int, step: int) -> int:
    """Return the seed of a reduction step (from 1) of a network with this seed."""
    return _seed(seed, step)


def pruning_streams(seed: int, sample: int) -> list[np.random.Generator]:
    """Return generators of the goals to record and of those to test.

    Args:
        seed: of the network.
        sample: of episodes; 0 is the one by which the network is pruned, the others only measure.
    """
    root = np.random.SeedSequence([seed, PRUNING, 1 + sample])
    return [np.random.default_rng(child) for child in root.spawn(2)]


def untrained_seed(seed: int) -> int:
    """Return the torch seed of the untrained network that is compared with a trained one."""
    return torch_seed(np.random.default_rng([seed, UNTRAINED]))


def layer_seed(seed: int, step: int) -> int:
    """Return the seed of training after removing a layer of a network with this seed.

    Args:
        seed: of the network before its first layer was removed.
        step: how many layers have been removed, from 1.
    """
    return _seed(seed, LAYERS, step)


def random_network_seed(seed: int, joints: int, number: int) -> int:
    """Return the torch seed of a random network for an arm with so many joints."""
    return _seed(seed, RANDOM_NETWORKS, joints, number)


def fresh_goals(seed: int) -> np.random.Generator:
    """Return the generator of the goals on which mappings onto a network are validated."""
    return np.random.default_rng([seed, FRESH_GOALS])


def episode_seed(seed: int, episode: int) -> int:
    """Return the seed by which an environment starts an episode that is played for a record.

    Args:
        seed: of the record.
        episode: its number, from 0.
    """
    return _seed(seed, PLAYING, 1 + episode)


def retraining_seed(seed: int, step: int, purpose: str, number: int = 1) -> int:
    """Return a seed of `prune-train` in a Gymnasium environment.

    Args:
        seed: of the command.
        step: from 1; 0 for the policy to start from.
        purpose: one of `RETRAINING_PURPOSES`.
        number: which training chunk or test of this purpose, from 1.
    """
    return _seed(seed, RETRAINING, step, RETRAINING_PURPOSES.index(purpose), number)


def stand_in_seed(seed: int, side: int, number: int) -> int:
    """Return the torch seed of a random network that replaces a source or a target.

    Args:
        seed: of the command.
        side: SOURCE or TARGET.
        number: of the network on that side.
    """
    return _seed(seed, side, number)


def permutation_stream(seed: int, target: int, source: int) -> np.random.Generator:
    """Return the generator of the order of steps of a permuted source, by their numbers."""
    return np.random.default_rng([seed, PERMUTATION, target, source])


def map_fresh_goals(seed: int, target_seed: int) -> np.random.Generator:
    """Return the generator of the goals on which the command `map` validates a target."""
    return np.random.default_rng([seed, MAP_FRESH_GOALS, target_seed])


def resampling_stream(seed: int = 0) -> np.random.Generator:
    """Return the generator of a bootstrap over networks."""
    return np.random.default_rng(seed)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])
