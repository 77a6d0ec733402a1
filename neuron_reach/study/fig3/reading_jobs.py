# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs of the study of readings: networks trained otherwise than usual."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from neuron_reach.common.random_streams import torch_seed, training_streams
from neuron_reach.learning.setup import Setup
from neuron_reach.study.engine.jobs import function
from neuron_reach.study.engine.results import JobResult
from neuron_reach.study.networks import MemberValues, Options, TrainingValues, network_name, train

PAST = 5000
"""Training episodes of one reading after the first passed and confirmed test."""

GLOROT, HE = 'glorot', 'he'
DEFAULT = 'default'


@dataclasses.dataclass(frozen=True)
class Reading:
    """One interpretation of the paper: its differences from the defaults.

    Attributes:
        task: options of a `Setup`.
        start: initialization of weights, HE or GLOROT.
        past: training episodes after the network is trained.
        pruning: fields of `PruningOptions`.
    """

    task: Mapping[str, str] = dataclasses.field(default_factory=dict)
    start: str = HE
    past: int = 0
    pruning: Mapping[str, str] = dataclasses.field(default_factory=dict)


READINGS = {
    DEFAULT: Reading(),
    'linkage within unions': Reading(pruning={'linkage': 'within'}),
    'threshold of clusters': Reading(pruning={'threshold': 'layer'}),
    'threshold of clusters of the network': Reading(pruning={'threshold': 'network'}),
    'linkage within unions, threshold of clusters': Reading(
        pruning={'linkage': 'within', 'threshold': 'layer'}
    ),
    'uniform merging': Reading(pruning={'merge': 'uniform'}),
    'linear reward': Reading(task={'reward': 'linear'}),
    'goals in all directions': Reading(task={'goals': 'full'}),
    f'{PAST:,} more episodes': Reading(past=PAST),
    'Glorot initialization': Reading(start=GLOROT),
}
"""The default (linkage between clusters, threshold from distances of neurons, weighted merging,
inverse reward, upper goals, training until passed, He initialization), and readings that change one
of these, or both of the first two."""


def _seconds(options: Options, seed: int, past: int, **_: object) -> float:
    until_trained: float = train.seconds(options=options, seeds=[seed])
    return until_trained * (1.0 + past / 3000.0)


@function('train otherwise', version=2, seconds=_seconds, returns=TrainingValues)
def train_otherwise(
    options: Options, seed: int, start: str, past: int, test_episodes: int
) -> JobResult[TrainingValues]:
    """Train a network from other initial weights than usual, or longer than until it is trained.

    Args:
        options: of a `Setup`; `seed` is ignored.
        seed: of the network.
        start: HE, or GLOROT for Glorot-uniform weights and biases of zero in all layers.
        past: training episodes after the validation test was passed and confirmed.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values and networks as of `train`; `trained` is when the test was confirmed.
    """
    import torch

    from neuron_reach.analysis.samples import random_network
    from neuron_reach.arm.simulator import FleetSimulator
    from neuron_reach.learning.checkpoint import describe
    from neuron_reach.learning.rollout import greedy_successes
    from neuron_reach.learning.training import Training

    setup = Setup.from_values({**options, 'seed': seed}, 'study')
    network = None
    if start == GLOROT:
        weights = torch_seed(training_streams(seed)['weights'])
        network = random_network(setup.layer_sizes, torch.Generator().manual_seed(weights))
    training = Training(setup, network=network)
    (member,) = training.members
    fleet = FleetSimulator(setup.arm, setup.learning.arms)
    while member.trained is None and training.episodes < setup.training.max_episodes:
        training.round(fleet)
    values: MemberValues = {
        'seed': seed,
        'first_pass': member.first_pass,
        'trained': member.trained,
        'accuracy': None,
        'updates': training.learner.updates,
    }
    if member.trained is None:
        return JobResult({'members': [values]})
    confirmed = member.trained
    while training.episodes < confirmed + past:
        training.round(fleet)
    own = training.saved_network(0)
    goals = training.task.sample_goals(training_streams(seed)['test'], test_episodes)
    tester = FleetSimulator(setup.arm, min(test_episodes, 300))
    won = greedy_successes(tester, training.task, own, goals[None])[0]
    member.trained = confirmed
    metadata = describe(setup, member, (int(won.sum()), test_episodes))
    values['accuracy'], values['updates'] = float(won.mean()), training.learner.updates
    return JobResult({'members': [values]}, networks={network_name(seed): (own, metadata)})
