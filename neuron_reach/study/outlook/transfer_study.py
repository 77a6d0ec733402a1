# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Study of the paper's outlook: do networks learn faster if they start from another arm's?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Interval, mean_interval
from neuron_reach.analysis.metrics import bootstrap_pairs
from neuron_reach.common.arrays import Array
from neuron_reach.common.random_streams import resampling_stream
from neuron_reach.figures.mapping import metric_bars
from neuron_reach.learning.setup import Setup
from neuron_reach.study.engine.jobs import AnyJob, Job, function
from neuron_reach.study.engine.results import AnyResult, JobResult, StoredResult
from neuron_reach.study.fig5.mapping_jobs import BALANCED, JOINTS
from neuron_reach.study.findings import spread
from neuron_reach.study.html_report import Picture, Section, Table
from neuron_reach.study.networks import (
    TRAINED_TEST_EPISODES,
    MemberValues,
    Options,
    TrainingValues,
    member_of,
    train,
)
from neuron_reach.study.reductions import Source, sources
from neuron_reach.study.studies import Plan, Results, Scale

Direction = tuple[int, int]
"""Joints of the source and of the target."""

FRESH, COPIED, MAPPED = 'fresh', 'copied', 'mapped'
DURATION = 'training duration, episodes'


def _seconds(options: Options, seed: int, **_: object) -> float:
    estimate: float = train.seconds(options=options, seeds=[seed])
    return estimate


@function('transfer', version=1, seconds=_seconds, returns=TrainingValues)
def transfer(
    source: AnyResult,
    name: str,
    options: Options,
    seed: int,
    start: str,
    transform: str,
    test_episodes: int,
) -> JobResult[TrainingValues]:
    """Train a network that starts from a network for another arm.

    Args:
        source: holds the network; if it does not, the result is empty.
        name: of the network there.
        options: of a `Setup`, of the training for the new arm; `seed` is ignored.
        seed: of the training; goals and exploration are those of a fresh network.
        start: MAPPED, see `adapt_network`; COPIED, see `copy_hidden`: the weights between hidden
            layers are the source's, all others those that a fresh network starts with.
        transform: of the inputs, see `input_transform`.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values: `members` as those of `train`: one, or none if there was no network. The first
            validation test is played before the first training episode.
        networks: as of `train`.
    """
    from neuron_reach.analysis.reuse import adapt_network, copy_hidden
    from neuron_reach.analysis.transforms import input_transform
    from neuron_reach.learning.training import Training
    from neuron_reach.study.networks import run_training

    known = source.find_checkpoint(name)
    if known is None:
        return JobResult({'members': []})
    setup = Setup.from_values({**options, 'seed': seed}, 'study')
    if start == COPIED:
        network = copy_hidden(source=known.network, start=Training(setup).learner.online)
    else:
        matrix = input_transform(
            target=setup.arm.joints, source=known.setup.arm.joints, kind=transform
        )
        network = adapt_network(known.network, matrix)
    return run_training(Training(setup, network=network), test_episodes)


# --- the plan ---------------------------------------------------------------------------------


def plan(scale: Scale) -> Plan:
    """Return the plan at a scale."""
    networks = {}
    for joints in JOINTS:
        options = {'joints': joints, 'hidden': scale.compared_width}
        made = sources(options, scale.trained(joints), scale.stack)  # shared with other studies
        networks[joints] = made[: scale.networks_by_joints]
    return plan_of(networks, TRAINED_TEST_EPISODES)


def plan_of(networks: Mapping[int, Sequence[Source]], test_episodes: int) -> Plan:
    """Return the plan for trained networks by joints, as many for each."""
    starts = {
        (direction, start): [
            _transfer_job(source, target, direction, start, test_episodes)
            for source, target in zip(networks[direction[0]], networks[direction[1]], strict=True)
        ]
        for direction in itertools.permutations(networks, 2)
        for start in (COPIED, MAPPED)
    }
    jobs: list[AnyJob] = [source.job for own in networks.values() for source in own]
    jobs += [job for own in starts.values() for job in own]
    return Plan(jobs, lambda results: [section(networks, starts, results)])


def _transfer_job(
    source: Source, target: Source, direction: Direction, start: str, test_episodes: int
) -> Job[TrainingValues]:
    return transfer.job(
        f'train {target.what}, {start} from {direction[0]} joints, seed {target.seed}',
        source=source.job,
        name=source.name,
        options=target.job.arguments['options'],
        seed=target.seed,
        start=start,
        transform=BALANCED,
        test_episodes=test_episodes,
    )


# --- the report -------------------------------------------------------------------------------


def section(
    networks: Mapping[int, Sequence[Source]],
    starts: Mapping[tuple[Direction, str], Sequence[Job[TrainingValues]]],
    results: Results,
) -> Section:
    """Return the section of the report on transfer."""
    durations: dict[Direction, dict[str, Array]] = {}
    first: dict[tuple[Direction, str], Array] = {}
    for (direction, start), jobs in starts.items():
        fresh = np.array([_fresh(source, results) for source in networks[direction[1]]])
        members = [_only(results.get(job)) for job in jobs]
        durations.setdefault(direction, {FRESH: fresh})[start] = np.array(
            [_duration(member) for member in members]
        )
        first[direction, start] = np.array([_first_share(member) for member in members])
    text = (
        'The paper proposes to reuse network structures with good correlation. Here a network '
        'for another arm starts with the weights of a trained one and is trained like a fresh '
        'one, with the same goals; the training duration is the number of episodes until the '
        'validation test is first passed, 0 if it is passed before any training.\n\n'
        '"mapped": the source network as it is used in mappings. The balanced transform of its '
        'inputs is merged exactly into the weights of the first layer; a joint of the source '
        'without a corresponding joint of the target stays at zero. The value of an action is '
        "that of the source's action with the same motions of the corresponding joints. "
        '"copied": the weights between hidden layers are those of the source; the first and the '
        'last layer, whose shapes depend on the arm, are those of a fresh network.'
    )
    title = 'Transfer between arms'
    if not any(np.isfinite(values).any() for own in durations.values() for values in own.values()):
        return Section(title, text)
    return Section(title, text, items=[_picture(durations), _table(durations, first)])


def _fresh(source: Source, results: Results) -> float:
    result = results.get(source.job)
    return _duration(None if result is None else member_of(result, source.seed))


def _only(result: StoredResult[TrainingValues] | None) -> MemberValues | None:
    members = [] if result is None else result.values['members']
    return members[0] if members else None


def _duration(member: MemberValues | None) -> float:
    if member is None or member['trained'] is None or member['first_pass'] is None:
        return float('nan')
    return float(member['first_pass'])


def _first_share(member: MemberValues | None) -> float:
    """Return the share of successes before any training; tests that must fail stop early."""
    if member is None:
        return float('nan')
    _, successes, played = member['validations'][0]
    return float(successes / played)


def _title(direction: Direction) -> str:
    return f'{direction[0]}-{direction[1]}'


def _picture(durations: Mapping[Direction, Mapping[str, Array]]) -> Picture:
    means: dict[str, dict[str, Interval]] = {}
    values: dict[str, dict[str, list[float]]] = {}
    for direction, own in durations.items():
        for start, group in own.items():
            known = group[np.isfinite(group)]
            if known.size:
                interval = bootstrap_pairs(known, resampling_stream())
                means.setdefault(_title(direction), {})[start] = interval
                values.setdefault(_title(direction), {})[start] = sorted(known.tolist())
    return Picture(
        'transfer_durations',
        metric_bars({DURATION: means}, {DURATION: values}, stacked=True),
        'Training duration of networks by the joints of source and target. Means over networks '
        'with 95 % intervals; dots are networks.',
        'Training durations of fresh, copied and mapped networks.',
    )


def _mean(values: Array) -> str:
    """Format the mean of the known values with its interval."""
    known = values[np.isfinite(values)]
    return str(mean_interval(known)) if known.size else 'unknown'


def _table(
    durations: Mapping[Direction, Mapping[str, Array]],
    first: Mapping[tuple[Direction, str], Array],
) -> Table:
    rows = []
    for direction, own in durations.items():
        for start, group in own.items():
            row = [
                _title(direction),
                start,
                f'{np.isfinite(group).sum()} of {len(group)}',
                spread(group, 0),
            ]
            if start != FRESH:
                row += [_mean(own[FRESH] - group), spread(first[direction, start])]
            rows.append(row)
    for start in (COPIED, MAPPED):
        saved = np.array([own[FRESH] - own[start] for own in durations.values()])
        there = np.isfinite(saved).any(axis=0)
        by_seed = np.nanmean(saved[:, there], axis=0)
        trained = np.isfinite([own[start] for own in durations.values()])
        trained_share = f'{trained.sum()} of {trained.size}'
        rows.append(['all', start, trained_share, '', _mean(by_seed), ''])
    return Table(
        [
            'source-target',
            'start',
            'trained',
            DURATION,
            'episodes saved compared with a fresh one',
            'successes before any training',
        ],
        rows,
        'Means and standard deviations of networks; of episodes saved, the mean with its 95 % '
        'interval over pairs of networks with the same seed (in the last rows, over seeds, of the '
        'means of all directions). A test before any training ends as soon as it cannot be '
        'passed.',
    )
