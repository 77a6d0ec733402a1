# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Every random stream is what it always was, and no two purposes share one."""

import itertools

import numpy as np
import pytest

from neuron_reach.common import random_streams
from neuron_reach.common.random_streams import (
    RETRAINING_PURPOSES,
    SOURCE,
    TARGET,
    TRAINING_STREAMS,
    fresh_goals,
    layer_seed,
    map_fresh_goals,
    permutation_stream,
    pruning_streams,
    random_network_seed,
    resampling_stream,
    retraining_seed,
    stand_in_seed,
    step_seed,
    training_streams,
    untrained_seed,
)

SEED = 7
FIRST = 3679476056639351524, 2216293316559634084, 2914789564203826821, 4530164319512476883
TRAINING = (*FIRST, 3957158976118426115, 2896599250365202621, 246922343224507558)
PRUNING = {
    0: [3004748902884233601, 3617998264642772494],
    9: [942693595324609059, 1647465504557865642],
}
SEEDS = {
    (step_seed, 1): 369571992,
    (step_seed, 100): 1045936606,
    (untrained_seed,): 1281911663930453127,
    (layer_seed, 1): 1060801321,
    (layer_seed, 5): 2226340077,
    (random_network_seed, 2, 0): 1142734250,
    (random_network_seed, 3, 4): 926233856,
    (stand_in_seed, SOURCE, 0): 2083679832,
    (stand_in_seed, SOURCE, 3): 3351598949,
    (stand_in_seed, TARGET, 0): 369571992,
    (stand_in_seed, TARGET, 3): 1916955614,
}
DRAWS = {
    (fresh_goals,): 2236969164821320619,
    (permutation_stream, 0, 0): 1281911663930453127,
    (permutation_stream, 1, 0): 2412440979572852041,
    (map_fresh_goals, 0): 4496548607185794417,
    (map_fresh_goals, 5): 226441042336466105,
    (resampling_stream,): 2882744023523087010,
}


def first(stream):
    return int(stream.integers(2**62))


def test_the_first_draws_of_a_network_are_what_they_always_were():
    assert tuple(map(first, training_streams(SEED).values())) == TRAINING
    for sample, draws in PRUNING.items():
        assert list(map(first, pruning_streams(SEED, sample))) == draws


@pytest.mark.parametrize(('call', 'seed'), SEEDS.items())
def test_seeds_are_what_they_always_were(call, seed):
    assert call[0](SEED, *call[1:]) == seed


@pytest.mark.parametrize(('call', 'draw'), DRAWS.items())
def test_first_draws_are_what_they_always_were(call, draw):
    assert first(call[0](SEED, *call[1:])) == draw


def test_the_largest_seed_gives_what_it_always_gave():
    assert step_seed(2**32 - 1, 1) == 989230592
    assert first(training_streams(2**32 - 1)['record']) == 2204465142329162444


# --- no purpose shares a stream with another ------------------------------------------------------


def of_networks(seed):
    """Draws by purpose; seeds draw as what they seed does."""
    numbers, steps = range(4), range(1, 7)
    drawn = {name: [first(own)] for name, own in training_streams(seed).items()}
    for sample in range(8):
        for name, own in zip(('sample', 'trial'), pruning_streams(seed, sample), strict=True):
            drawn.setdefault(name, []).append(first(own))
    for make in (step_seed, layer_seed):
        streams = [training_streams(make(seed, step)) for step in steps]
        drawn[make.__name__] = [first(own) for each in streams for own in each.values()]
    drawn['untrained'] = [untrained_seed(seed)]
    pairs = itertools.product((2, 3, 4), numbers)
    drawn['random networks'] = [random_network_seed(seed, *pair) for pair in pairs]
    drawn['fresh goals'] = [first(fresh_goals(seed))]
    triples = itertools.product(range(4), RETRAINING_PURPOSES, range(1, 5))
    drawn['retraining'] = [retraining_seed(seed, *triple) for triple in triples]
    return drawn


def of_the_command_map(seed):
    pairs = list(itertools.product(range(4), range(4)))
    drawn = {side: [stand_in_seed(seed, side, number) for number in range(8)] for side in range(2)}
    drawn['permutations'] = [first(permutation_stream(seed, *pair)) for pair in pairs]
    drawn['fresh goals of map'] = [first(map_fresh_goals(seed, target)) for target in range(8)]
    drawn['resampling'] = [first(resampling_stream(seed))]
    return drawn


@pytest.mark.parametrize('family', [of_networks, of_the_command_map])
def test_no_two_purposes_share_a_stream(family):
    draws = [draw for seed in range(5) for purpose in family(seed).values() for draw in purpose]
    assert len(set(draws)) == len(draws) > 5 * 30


def test_what_commands_have_in_common_is_what_the_registry_says():
    for seed in range(5):
        ours, theirs = (
            {draw for purpose in family(seed).values() for draw in purpose}
            for family in (of_networks, of_the_command_map)
        )
        assert ours & theirs == {untrained_seed(seed)} == {first(permutation_stream(seed, 0, 0))}
        assert stand_in_seed(seed, TARGET, 0) == step_seed(seed, 1)


def test_every_stream_is_in_the_table_of_the_registry():
    table = random_streams.__doc__
    made = [name for name, value in vars(random_streams).items() if callable(value)]
    public = {name for name in made if not name.startswith('_')} - {'torch_seed', 'annotations'}
    assert len(public) == 13
    assert all(f'| `{name}` |' in table for name in public)
    assert tuple(training_streams(0)) == TRAINING_STREAMS
    assert isinstance(resampling_stream(), np.random.Generator)
