"""The random streams by which a checkpoint is pruned and tested."""

import types

import numpy as np

from neuron_reach.analysis import PruningOptions
from neuron_reach.common.random_streams import PRUNING, training_streams
from neuron_reach.workflows.prune import sample_streams, trials


def checkpoint(seed):
    return types.SimpleNamespace(metadata={'seed': seed})


def draws(seed, sample):
    return [stream.integers(2**62) for stream in sample_streams(checkpoint(seed), sample)]


def test_every_sample_of_every_network_records_and_tests_with_goals_of_its_own():
    found = [draw for seed in range(5) for sample in range(20) for draw in draws(seed, sample)]
    found += [stream.integers(2**62) for s in range(5) for stream in training_streams(s).values()]
    for seed in range(5):  # numpy takes [seed, 1, 0] for [seed, 1]
        children = np.random.SeedSequence([seed, PRUNING]).spawn(2)
        found += [np.random.default_rng(child).integers(2**62) for child in children]
    assert len(set(found)) == len(found) == 5 * (20 * 2 + 7 + 2)
    assert draws(3, 4) == draws(3, 4)


def test_trials_are_those_of_the_samples_from_1_on(monkeypatch):
    seen = []

    def trial(own, options, sample, episodes):
        seen.append((own.metadata['seed'], options, sample, episodes))
        return [sample]

    monkeypatch.setattr('neuron_reach.workflows.prune.sample_trials', trial)
    options, reported = PruningOptions(), []
    assert trials(checkpoint(7), options, 3, 10, reported.append) == [1, 2, 3] == reported
    assert seen == [(7, [options], sample, 10) for sample in (1, 2, 3)]
