"""Study: which reading of what the paper leaves open comes nearest to its published sizes?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Interval, Pairs, Statistic, statistic_interval
from neuron_reach.common.arrays import Array
from neuron_reach.common.random_streams import torch_seed, training_streams
from neuron_reach.figures.courses import Panel, courses
from neuron_reach.learning.setup import Setup
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.jobs import AnyJob, function
from neuron_reach.study.engine.results import JobResult
from neuron_reach.study.fig3.size_study import ReductionMeasures
from neuron_reach.study.fig3.tau_study import (
    Sweep,
    TauMeasures,
    findings,
    jobs_of_sweeps,
    sweeps_of,
)
from neuron_reach.study.findings import listed, spread
from neuron_reach.study.html_report import Finding, Picture, Section, Table
from neuron_reach.study.networks import (
    TRAINED_TEST_EPISODES,
    MemberValues,
    Options,
    TrainingValues,
    condition,
    network_name,
    train,
)
from neuron_reach.study.reductions import ANALYSED, STEPS, Source, Step, jobs_of, reduction, sources
from neuron_reach.study.studies import Plan, Results, Scale

Groups = Mapping[str, Sequence[tuple[Source, Sequence[Step]]]]
Curves = Mapping[str, Sequence[Sweep]]

PAST = 5000
"""Training episodes that one reading goes on for after the first passed and confirmed test."""

CURVE_TAUS, CURVE_SAMPLES = (0.0, 0.1, 0.2, 0.3, 0.5), 3
"""At which tau, and from how many samples of episodes, the curves of figure 3 are compared."""

GLOROT, HE = 'glorot', 'he'
DEFAULT = 'default'


@dataclasses.dataclass(frozen=True)
class Reading:
    """One way to read the paper: what differs from the defaults.

    Attributes:
        task: options of a `Setup`.
        start: how weights are drawn before training, HE or GLOROT.
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
    'goals all around': Reading(task={'goals': 'full'}),
    f'{PAST:,} episodes more': Reading(past=PAST),
    'Glorot initialisation': Reading(start=GLOROT),
}
"""The default (linkage between clusters, threshold from distances of neurons, weighted merging,
inverse reward, upper goals, training until passed, He initialisation), and what changes one thing
in it, or both of the first two."""


# --- jobs -------------------------------------------------------------------------------------


def _seconds(options: Options, seed: int, past: int, **_: object) -> float:
    until_trained: float = train.seconds(options=options, seeds=[seed])
    return until_trained * (1.0 + past / 3000.0)


@function('train otherwise', version=2, seconds=_seconds, returns=TrainingValues)
def train_otherwise(
    options: Options, seed: int, start: str, past: int, test_episodes: int
) -> JobResult[TrainingValues]:
    """Train a network from other weights than usual, or past the point where it is trained.

    Args:
        options: those of a `Setup`; `seed` is set aside.
        seed: of the network.
        start: HE, or GLOROT for Glorot-uniform weights and biases of zero in all layers.
        past: training episodes after the validation test was passed and confirmed.
        test_episodes: fresh goals for the accuracy.

    Returns:
        values and networks as of `train`; `trained` is still when it was confirmed.
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


# --- the plan ---------------------------------------------------------------------------------


def networks_of(name: str, scale: Scale, width: int) -> list[Source]:
    """Return the networks of a reading."""
    reading = READINGS[name]
    options = {**ANALYSED, 'hidden': width, **reading.task}
    made = sources(options, scale.networks, scale.stack)[: scale.networks_by_reading]
    if reading.start != HE or reading.past:
        return [_otherwise(options, source.seed, name, reading) for source in made]
    if name != DEFAULT:
        return [dataclasses.replace(source, what=f'{source.what}, {name}') for source in made]
    return made


def groups_of(scale: Scale) -> dict[str, list[tuple[Source, list[Step]]]]:
    """Return the networks of every reading and their reduction steps."""
    return {
        name: [
            (source, reduction(source, scale, **reading.pruning))
            for source in networks_of(name, scale, scale.compared_width)
        ]
        for name, reading in READINGS.items()
    }


def curve_scale(scale: Scale) -> Scale:
    """Return the scale at which the curves against tau are compared."""
    return dataclasses.replace(scale, taus=CURVE_TAUS, samples=CURVE_SAMPLES)


def curves_of(scale: Scale) -> dict[str, list[Sweep]]:
    """Return the networks of every reading, pruned once with several tau."""
    width = int(paper.number('analysed_width').single)
    return {
        name: sweeps_of(networks_of(name, scale, width), curve_scale(scale), **reading.pruning)
        for name, reading in READINGS.items()
    }


def _otherwise(options: Options, seed: int, name: str, reading: Reading) -> Source:
    setup = Setup.from_values(options, 'study')
    values = setup.values()
    del values['seed']
    what = f'{condition(setup)}, {name}'
    job = train_otherwise.job(
        f'train {what}, seed {seed}',
        options=values,
        seed=seed,
        start=reading.start,
        past=reading.past,
        test_episodes=TRAINED_TEST_EPISODES,
    )
    return Source(job, seed, what)


def plan(scale: Scale) -> Plan:
    """Return what to do at a scale."""
    groups, curves = groups_of(scale), curves_of(scale)
    jobs: list[AnyJob] = []
    for group in groups.values():
        for source, steps in group:
            jobs += [source.job, *jobs_of(steps)]
    for sweeps in curves.values():
        jobs += jobs_of_sweeps(sweeps)
    return Plan(jobs, lambda results: [section(groups, curves, results, scale)])


# --- the report -------------------------------------------------------------------------------


def section(groups: Groups, curves: Curves, results: Results, scale: Scale) -> Section:
    """Return the report's part on the readings."""
    outcomes = {name: ReductionMeasures(group, results) for name, group in groups.items()}
    known = {name: outcome for name, outcome in outcomes.items() if len(outcome)}
    swept = {
        name: TauMeasures(sweeps, results, curve_scale(scale)) for name, sweeps in curves.items()
    }
    drawn = {name: found for name, found in swept.items() if len(found.neurons)}
    judged = {name: findings(found) for name, found in drawn.items()}
    published = paper.number('sizes_of_wide_networks')
    text = (
        f'The paper leaves open how clusters grow, where the threshold is taken from, how weights '
        f'are merged, the reward, where goals lie, when training ends, and the initial weights. '
        f'Each reading changes that in the default. {scale.networks_by_reading} networks by '
        f'reading, of {scale.compared_width} neurons per hidden layer, are reduced in '
        f'{STEPS} steps. The paper ({published.where}) has '
        f'{listed(published.several, 1)} neurons after '
        'three steps from 256 or 512.\n\n'
        'Distance: the mean over the hidden layers of |ln(mean size / published size)|, so that '
        '0.69 is a factor of 2. Networks of a reading with the same seeds as the default are '
        'drawn together in the bootstrap of the difference.\n\n'
        f'As many networks of {ANALYSED["hidden"]} neurons per hidden layer are pruned once with '
        'several tau and trained on; what the paper says of these curves (figure 3, left) is '
        'judged for each reading by the same rule.\n\n'
        'Best supported is, of the readings that these networks cannot tell from the nearest one '
        'by size, the one for which the fewest statements about the curves differ; of several, the '
        'default, which gives way only to what is better supported.'
    )
    title = 'Readings of the paper'
    if not known:
        return Section(title, text)
    items: list[Picture | Table] = [_sizes_picture(known), _table(outcomes)]
    if drawn:
        items += [_curves_picture(drawn), _statements_table(judged)]
    return Section(title, f'{text}\n\n{_conclusion(known, judged)}', items=items)


def _samples(outcome: ReductionMeasures, name: str) -> dict[str, Pairs]:
    """Return the sizes of every layer after the last step, of the networks of a reading."""
    sizes = outcome.hidden[:, -1]
    # Only complete groups have the same networks in the same places.
    networks = 'seeds' if len(outcome) == outcome.tried else name
    return {f'{name} {layer}': Pairs(sizes[:, layer], networks) for layer in range(sizes.shape[1])}


def _distance(name: str) -> Statistic:
    """Return the distance of a reading's mean sizes from the published ones."""
    published = paper.number('sizes_of_wide_networks').several

    def statistic(mean: Mapping[str, Array]) -> Array:
        ratios = [
            np.abs(np.log(np.maximum(mean[f'{name} {layer}'], 1.0) / size))
            for layer, size in enumerate(published)
        ]
        distance: Array = np.mean(ratios, axis=0)
        return distance

    return statistic


def distance(outcome: ReductionMeasures, name: str) -> Interval:
    """Return the distance of a reading from the published sizes."""
    return statistic_interval(_distance(name), _samples(outcome, name))


def farther(outcomes: Mapping[str, ReductionMeasures], name: str, than: str) -> Interval:
    """Return how much farther from the published sizes one reading is than another."""
    samples = {**_samples(outcomes[name], name), **_samples(outcomes[than], than)}
    first, second = _distance(name), _distance(than)
    return statistic_interval(lambda mean: first(mean) - second(mean), samples)


def contradicted(judged: Sequence[Finding]) -> int:
    """Return how many statements differ."""
    return [finding.verdict for finding in judged].count(verdict.DIFFERS)


def _conclusion(
    known: Mapping[str, ReductionMeasures], judged: Mapping[str, Sequence[Finding]]
) -> str:
    distances = {name: distance(outcome, name) for name, outcome in known.items()}
    nearest = min(distances, key=lambda name: distances[name].value)
    level = [name for name in known if name != nearest and farther(known, name, nearest).low <= 0.0]
    text = f'Nearest by size: {nearest}, at a distance of {distances[nearest]}.'
    text += f' Not told apart from it: {", ".join(level)}.' if level else ' All others are farther.'
    candidates = [name for name in (nearest, *level) if name in judged]
    if not candidates:
        return text
    fewest = min(contradicted(judged[name]) for name in candidates)
    best = [name for name in candidates if contradicted(judged[name]) == fewest]
    return f'{text} Best supported: {DEFAULT if DEFAULT in best else best[0]}.'


def _sizes_picture(known: Mapping[str, ReductionMeasures]) -> Picture:
    layers = range(1, next(iter(known.values())).hidden.shape[2] + 1)
    published = paper.number('sizes_of_wide_networks').value
    own = known.get(DEFAULT)
    panels = [
        Panel(
            'hidden layer',
            'neurons',
            layers,
            {
                **({DEFAULT: own.hidden[:, -1]} if own is not None and name != DEFAULT else {}),
                name: outcome.hidden[:, -1],
            },
            references={'paper': published},
            whole=True,
            title=name,
        )
        for name, outcome in known.items()
    ]
    return Picture(
        'readings_sizes',
        courses(panels, columns=3, dots=False),
        f'Neurons per hidden layer after {STEPS} reduction steps by reading, beside the default '
        'and the published sizes: means with 95 % intervals.',
        'Sizes by layer of every reading.',
    )


def _curves_picture(drawn: Mapping[str, TauMeasures]) -> Picture:
    panels = []
    for name, found in drawn.items():
        for label, of, limits in (
            ('initial accuracy', 'accuracy', (0.0, 1.0)),
            ('training duration, episodes', 'bounded', None),
        ):
            shown = {name: found} if name == DEFAULT else {DEFAULT: drawn.get(DEFAULT), name: found}
            groups = {key: getattr(one, of) for key, one in shown.items() if one is not None}
            taus = found.taus.tolist()
            panels.append(Panel('tau', label, taus, groups, limits=limits, title=name))
    return Picture(
        'readings_curves',
        courses(panels, columns=4, dots=False),
        'Initial accuracy and training duration against tau by reading, beside the default: means '
        'with 95 % intervals. Networks that were given up count with the limit of episodes.',
        'Initial accuracy and training duration against tau of every reading.',
    )


def _statements_table(judged: Mapping[str, Sequence[Finding]]) -> Table:
    statements = next(iter(judged.values()))
    rows = [
        [finding.statement, *(own[row].verdict for own in judged.values())]
        for row, finding in enumerate(statements)
    ]
    rows.append(['statements that differ', *(str(contradicted(own)) for own in judged.values())])
    return Table(
        ['the paper says', *judged],
        rows,
        f'What the paper says of figure 3, left, for networks of {ANALYSED["hidden"]} neurons per '
        'hidden layer.',
    )


def _table(outcomes: Mapping[str, ReductionMeasures]) -> Table:
    rows = []
    for name, outcome in outcomes.items():
        row = [name, f'{len(outcome)} of {outcome.tried}']
        if len(outcome):
            row += [
                listed(outcome.hidden[:, 1].mean(axis=0).tolist(), 1),
                listed(outcome.hidden[:, -1].mean(axis=0).tolist(), 1),
                str(distance(outcome, name)),
                str(farther(outcomes, name, DEFAULT))
                if name != DEFAULT and len(outcomes[DEFAULT])
                else '',
                ' → '.join(spread(values) for values in outcome.accuracy[:, 1:].T),
                ' → '.join(spread(values, 0) for values in outcome.duration.T),
            ]
        rows.append(row)
    return Table(
        [
            'reading',
            'networks',
            'sizes after step 1',
            f'sizes after step {STEPS}',
            'distance',
            'farther than the default',
            'initial accuracy by step',
            'training duration, episodes: first, then by step',
        ],
        rows,
        'Means (and standard deviations) of the networks that could be trained again after every '
        'step; distances with 95 % intervals.',
    )
