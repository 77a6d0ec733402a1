# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Prune a policy of other origin by its activity in sample episodes, and write the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuron_reach.analysis.bootstrap import bounds, draw_networks
from neuron_reach.analysis.merging import Pruned
from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions
from neuron_reach.common.arrays import Array
from neuron_reach.common.names import PRUNED
from neuron_reach.common.progress import ShowProgress, renamed
from neuron_reach.common.random_streams import pruning_streams, resampling_stream
from neuron_reach.common.results import claimed_folder, replaced_results, to_json
from neuron_reach.common.versions import versions
from neuron_reach.learning.validation import Accuracy
from neuron_reach.policies.playing import PlayOptions, record_policy
from neuron_reach.policies.policy import Policy
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.workflows.policies import load_policy, missing_episodes, read_episodes
from neuron_reach.workflows.prune import write_clusters

TEST_EPISODES = 100
"""Episodes in which a policy is tested before and after pruning."""

RESAMPLES = 5000


@dataclasses.dataclass(frozen=True)
class TestResult:
    """Results of a policy in test episodes.

    Attributes:
        mean_return: mean over the episodes of the sum of rewards.
        interval_95: its 95 % bootstrap interval over the episodes.
        success: share of episodes with `info['is_success']`; None: the environment lacks it.
    """

    mean_return: float
    interval_95: tuple[float, float]
    success: Accuracy | None

    @classmethod
    def of(cls, returns: Array, successes: Array) -> TestResult:
        """Summarize episodes, (episodes,) each."""
        drawn = draw_networks(len(returns), resampling_stream(), RESAMPLES) / len(returns)
        known = np.isfinite(successes).all()
        return cls(
            mean_return=float(returns.mean()),
            interval_95=bounds(drawn @ returns),
            success=Accuracy.of(int(successes.sum()), len(successes)) if known else None,
        )


@dataclasses.dataclass(frozen=True)
class PolicyTest:
    """The same test of a policy before and after pruning, without any training between them.

    Attributes:
        env: name of the environment.
        episodes: of each test, none of which is a sample episode.
        before: of the policy.
        after: of the pruned policy, in episodes that start in the same way.
    """

    env: str
    episodes: int
    before: TestResult
    after: TestResult


@dataclasses.dataclass(frozen=True)
class PolicyPruningResults:
    """What `pruning.json` says of a policy of other origin, by its keys.

    Attributes:
        source: file or folder of the policy that was pruned.
        network: its digest.
        bag: where the sample episodes were recorded; None: they were played in `env`.
        env: environment in which the policies were tested; None: they were not.
        notes: of the record of activity, such as episodes left out.
        options: of pruning.
        versions: see `versions`.
        episodes: sample episodes.
        hidden_before: neurons of the hidden layers before pruning.
        hidden: after pruning.
        dead: neurons that were never active, by hidden layer.
        thresholds: d_tau by hidden layer.
        methods: how the neurons of each hidden layer were merged: by `scaling factors` or by
            `least squares`.
        test: before and after; None: no environment was given.
    """

    source: str
    network: str
    bag: str | None
    env: str | None
    notes: tuple[str, ...]
    options: PruningOptions
    versions: dict[str, str | None]
    episodes: int
    hidden_before: tuple[int, ...]
    hidden: tuple[int, ...]
    dead: tuple[int, ...]
    thresholds: tuple[float, ...]
    methods: tuple[str, ...]
    test: PolicyTest | None

    @classmethod
    def of(
        cls,
        policy: Policy,
        record: ActivityRecord,
        options: PruningOptions,
        pruned: Pruned[Any],
        test: PolicyTest | None,
        inputs: Mapping[str, Any],
    ) -> PolicyPruningResults:
        """Summarize the pruning of a policy by a record; `inputs` are source, bag and env."""
        return cls(
            **inputs,
            network=policy.network.digest,
            notes=record.notes,
            options=options,
            versions=versions(),
            episodes=record.episodes,
            hidden_before=policy.sizes[1:-1],
            hidden=pruned.network.sizes[1:-1],
            dead=tuple(pruned.dead.values()),
            thresholds=tuple(pruned.thresholds.values()),
            methods=tuple(pruned.methods.values()),
            test=test,
        )


def run_policy_pruning(
    network: Network,
    folder: Path,
    options: PruningOptions,
    *,
    progress: ShowProgress,
    episodes: int | None = None,
    bag: Path | None = None,
    env: str | None = None,
    namespace: str | None = None,
) -> PolicyPruningResults:
    """Prune a policy by recorded or played sample episodes, and write the results to a folder.

    Args:
        network: with a policy of other origin.
        folder: of the results: the policy `pruned`, `pruning.json`, tables, arrays, figures;
            earlier results of the same inputs are replaced.
        options: of pruning.
        progress: shows which part is done.
        episodes: to use of the bag, or to play; None: all, or `SAMPLE_EPISODES`.
        bag: recorded sample episodes; None: played in `env`, or, without one, those beside the
            policy.
        env: name of an environment, in which the policy is tested before and after.
        namespace: of the topics, needed only where the bag holds several robots.

    Raises:
        UserError: there are no episodes, they are of another network, or the folder cannot be used.
    """
    assert network.policy is not None
    policy = load_policy(network, 'it is pruned')
    if env is None:
        bag = bag or network.bag
        if bag is None:
            raise missing_episodes(network.policy, ', or give --env ENV_ID')
    inputs = {
        'source': str(network.policy.resolve()),
        'bag': None if bag is None else str(bag.resolve()),
        'env': env,
    }
    with claimed_folder(folder, 'prune', inputs):
        if bag is not None:
            progress('pruning', 0, 2, 'parts', 'sample episodes')
            record = read_episodes(network, bag, episodes, namespace)
        else:
            assert env is not None
            play = PlayOptions(episodes or SAMPLE_EPISODES)
            record, _ = record_policy(policy, env, play, renamed(progress, 'recording'))
        progress('pruning', 1, 2, 'parts', 'clusters')
        smaller, pruned = policy.pruned(record, options)
        test = None if env is None else _compare(policy, smaller, env, progress)
        summary = PolicyPruningResults.of(policy, record, options, pruned, test, inputs)
        with replaced_results(folder, 'prune', to_json(summary)) as new:
            smaller.save(new / PRUNED)
            write_clusters(new, record, pruned)
        progress('pruning', 2, 2, 'parts')
    return summary


def _compare(before: Policy, after: Policy, env: str, progress: ShowProgress) -> PolicyTest:
    """Test a policy before and after pruning."""
    results = [
        _test(policy, env, before.seed, renamed(progress, f'testing {name}'))
        for name, policy in (('before', before), ('after', after))
    ]
    return PolicyTest(env, TEST_EPISODES, *results)


def _test(policy: Policy, env: str, seed: int, progress: ShowProgress) -> TestResult:
    """Play test episodes, which start in the same way for every policy of this seed."""
    _, stream = pruning_streams(seed, 0)
    record, _ = record_policy(policy, env, PlayOptions(TEST_EPISODES, stream), progress)
    return TestResult.of(record.returns, record.successes)
