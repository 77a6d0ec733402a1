# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of the paper's outlook: how many hidden layers can be removed, one by one?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from neuron_reach.common.arrays import Array
from neuron_reach.common.random_streams import layer_seed
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.study import paper
from neuron_reach.study.engine.jobs import AnyJob, Job, function
from neuron_reach.study.engine.results import AnyResult, JobResult
from neuron_reach.study.findings import spread
from neuron_reach.study.html_report import Picture, Section, Table
from neuron_reach.study.networks import MemberValues, TrainingValues, member_of, network_name, train
from neuron_reach.study.reductions import ANALYSED, RETRAINED_TEST_EPISODES, Source, sources
from neuron_reach.study.studies import Plan, Results, Scale


class RemoveValues(TrainingValues, total=False):
    """Values of `remove`: `members`, one or none, and what was removed if there is one.

    Items:
        removed: number of the layer (from 1) in the network before.
        missed: for every layer, the share of its variance that is not predicted.
        accuracy: in one test right after the removal.
    """

    removed: int
    missed: list[float]
    accuracy: float


def _seconds(source: AnyJob, seed: int, episodes: int, **_: object) -> float:
    trained = source
    while 'options' not in trained.arguments:
        trained = trained.arguments['source']
    estimate: float = train.seconds(options=trained.arguments['options'], seeds=[seed])
    return 0.002 * episodes + 0.5 * estimate


@function('remove layer', version=1, seconds=_seconds, returns=RemoveValues)
def remove(
    source: AnyResult,
    name: str,
    seed: int,
    step: int,
    episodes: int,
    max_episodes: int,
    test_episodes: int,
) -> JobResult[RemoveValues]:
    """Remove the hidden layer that the layer before predicts best, and retrain.

    Args:
        source: holds the network; if it does not, or it has one hidden layer, the result is empty.
        name: of the network there.
        seed: of the network before its first layer was removed.
        step: number of the removal, from 1; with the seed it sets the random streams.
        episodes: of the sample by which layers are predicted, see `remove_layer`.
        max_episodes: training episodes after which the network is given up.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values: as `RemoveValues` says.
        networks: the trained one, named by `network_name(seed)`.
    """
    from neuron_reach.analysis.reuse import remove_layer
    from neuron_reach.learning import validation
    from neuron_reach.learning.training import Training
    from neuron_reach.records.recording import record_checkpoint
    from neuron_reach.study.networks import run_training
    from neuron_reach.workflows.prune import count_successes, sample_streams

    checkpoint = source.find_checkpoint(name)
    if checkpoint is None or len(checkpoint.network.sizes) < 4:
        return JobResult({'members': []})
    hidden = checkpoint.network.sizes[1:-1]
    record = record_checkpoint(checkpoint, episodes)
    ways = [remove_layer(checkpoint.network, record, layer) for layer in range(1, len(hidden) + 1)]
    missed = [share for _, share in ways]
    removed = int(np.argmin(missed))
    network = ways[removed][0]
    training = dataclasses.replace(
        checkpoint.setup.training, seed=layer_seed(seed, step), max_episodes=max_episodes
    )
    setup = dataclasses.replace(checkpoint.setup, training=training)
    setup = setup.with_hidden(network.sizes[1:-1])
    successes = count_successes(setup, network, sample_streams(checkpoint, 0)[1])
    trained = run_training(Training(setup, network=network), test_episodes)
    values: RemoveValues = {
        **trained.values,
        'removed': removed + 1,
        'missed': missed,
        'accuracy': successes / validation.VALIDATION_EPISODES,
    }
    networks = {network_name(seed): own for own in trained.networks.values()}
    return JobResult(values, networks=networks)


# --- the plan ---------------------------------------------------------------------------------


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    networks = sources(ANALYSED, scale.networks, scale.stack)
    return plan_of(
        networks[: scale.networks_by_reading],
        steps=int(paper.number('hidden_layers').single) - 1,
        episodes=scale.pruning_episodes,
        max_episodes=scale.retraining_episodes,
    )


def plan_of(networks: Sequence[Source], steps: int, episodes: int, max_episodes: int) -> Plan:
    """Return the plan of removing this many layers of each network."""
    chains: list[tuple[Source, list[Job[RemoveValues]]]] = []
    for source in networks:
        chain: list[Job[RemoveValues]] = []
        for step in range(1, steps + 1):
            chain.append(
                remove.job(
                    f'remove layer {step} of {source.what}, seed {source.seed}',
                    source=chain[-1] if chain else source.job,
                    name=source.name,
                    seed=source.seed,
                    step=step,
                    episodes=episodes,
                    max_episodes=max_episodes,
                    test_episodes=RETRAINED_TEST_EPISODES,
                )
            )
        chains.append((source, chain))
    jobs: list[AnyJob] = []
    for source, chain in chains:
        jobs += [source.job, *chain]
    return Plan(jobs, lambda results: [section(chains, steps, max_episodes, results)])


# --- the report -------------------------------------------------------------------------------


def section(
    chains: Sequence[tuple[Source, Sequence[Job[RemoveValues]]]],
    steps: int,
    limit: int,
    results: Results,
) -> Section:
    """Return the section of the report on layers."""
    accuracy, duration = np.full((2, len(chains), steps + 1), np.nan)
    removed: list[list[int]] = [[] for _ in range(steps)]
    missed: list[list[float]] = [[] for _ in range(steps)]
    for row, (source, chain) in enumerate(chains):
        trained = results.get(source.job)
        before: MemberValues | None = None
        if trained is not None:
            before = member_of(trained, source.seed)
        if before is None or before['trained'] is None:
            continue
        accuracy[row, 0], duration[row, 0] = before['accuracy'], before['first_pass']
        for step, job in enumerate(chain, start=1):
            result = results.get(job)
            if result is None or not result.values['members']:
                break
            accuracy[row, step] = result.values['accuracy']
            removed[step - 1].append(result.values['removed'])
            missed[step - 1].append(min(result.values['missed']))
            (member,) = result.values['members']
            if member['trained'] is None:
                break
            duration[row, step] = member['first_pass']
    what = chains[0][0].what if chains else ''
    text = (
        f'The paper proposes to reduce the number of layers too. The hidden layers of '
        f'{len(chains)} networks ({what}) are removed one by one: the activations of a layer are '
        'predicted from those of the layer before by least squares over the sample episodes; this '
        'affine map is merged into the weights of the next layer. The layer that is predicted '
        'best, by the share of its variance, is removed; then the network is retrained until it '
        f'passes the validation test twice in a row, or is given up after {limit:,} episodes. The '
        'accuracy is that right after the removal, in one test of 300 episodes.'
    )
    title = 'Removing whole layers'
    if not np.isfinite(accuracy).any():
        return Section(title, text)
    return Section(
        title,
        text,
        items=[_picture(accuracy, duration), _table(accuracy, duration, removed, missed)],
    )


def _picture(accuracy: Array, duration: Array) -> Picture:
    steps = range(accuracy.shape[1])
    panels = [
        Panel(
            'hidden layers removed',
            'accuracy after the removal',
            steps,
            {'networks': accuracy},
            limits=(0.0, 1.02),
            whole=True,
        ),
        Panel(
            'hidden layers removed',
            'training duration, episodes',
            steps,
            {'networks': duration},
            whole=True,
        ),
    ]
    return Picture(
        'layers_removed',
        courses(panels, columns=2),
        'Accuracy right after a layer is removed, and training until the test is passed again; '
        'at 0, the accuracy and duration of the first training. Means with 95 % intervals.',
        'Accuracy and training duration by the number of layers removed.',
    )


def _table(
    accuracy: Array,
    duration: Array,
    removed: Sequence[Sequence[int]],
    missed: Sequence[Sequence[float]],
) -> Table:
    rows = []
    for step in range(accuracy.shape[1]):
        tried, passed = np.isfinite(accuracy[:, step]), np.isfinite(duration[:, step])
        row = [str(step), f'{passed.sum()} of {tried.sum()}', spread(accuracy[:, step])]
        row.append(spread(duration[:, step], 0))
        if step:
            row.append(', '.join(map(str, sorted(removed[step - 1]))))
            row.append(spread(missed[step - 1], 3))
        rows.append(row)
    return Table(
        [
            'layers removed',
            'retrained',
            'accuracy after the removal',
            'training duration, episodes',
            'removed layers, numbered among those left',
            'unexplained variance',
        ],
        rows,
        'Means and standard deviations of networks.',
    )
