# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs of the study of figure 5: networks of several arms, and mappings between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from neuron_reach.common.random_streams import fresh_goals, random_network_seed
from neuron_reach.learning.setup import TrainingOptions
from neuron_reach.study import paper
from neuron_reach.study.engine.jobs import AnyJob, Job, function
from neuron_reach.study.engine.results import AnyResult, JobResult

if TYPE_CHECKING:
    from neuron_reach.learning.checkpoint import Checkpoint
    from neuron_reach.learning.qnetwork import QNetwork

JOINTS = tuple(int(joints) for joints in paper.number('joints').several)
EPISODES = int(paper.number('mapping_episodes').single)
LASSO = float(paper.number('lasso').single)
LASSOS = (0.0, 10.0, LASSO, 100.0)
"""Values of lambda that are compared among networks of the baseline."""

BASELINE = int(paper.number('analysed_joints').single)
"""Joints of the arm for whose networks the methods of mapping are compared."""

TRAINED, REFLEXIVE, RANDOM, RANDOM_BOTH = 'trained', 'reflexive', 'random', 'random-both'
GREEDY = 'greedy'
BALANCED, NAIVE = 'balanced', 'naive'
METRICS = ('error', 'saturation', 'coverage')
PATIENCE = TrainingOptions().max_episodes
"""Training episodes after which a pruned network for another arm than the baseline is given up."""


class NetworkJob(TypedDict):
    """A network: the job that makes it, and its name in the result."""

    result: AnyJob
    name: str


class StoredNetwork(TypedDict):
    """A `NetworkJob` as the functions of jobs receive it."""

    result: AnyResult
    name: str


class SourceJob(NetworkJob):
    """A network to map: its kind, and its number among those of its kind."""

    kind: str
    number: int


class StoredSource(StoredNetwork):
    """A `SourceJob` as the functions of jobs receive it."""

    kind: str
    number: int


class ReducedValues(TypedDict):
    """Values of `reduced_networks`: how many candidates were examined."""

    tried: int


class RandomValues(TypedDict):
    """Values of `random_networks`.

    Items:
        hidden: mean neurons per hidden layer of the trained networks; rounded, the sizes of the
            random ones; None if there is no trained network.
    """

    hidden: list[float] | None


class MappingValues(TypedDict):
    """One mapping.

    Items:
        kind: of the source network.
        number: of the source network among those of its kind.
        lasso: lambda; None: greedy.
        samples: inputs of X.
        dead: target neurons that are never active.
        unmapped: targets without any source.
        residual: of the optimality conditions; None: greedy.
    """

    kind: str
    number: int
    lasso: float | None
    samples: int
    dead: int
    unmapped: int
    residual: float | None


class MapValues(TypedDict):
    """Values of `map_onto`; empty if the target is missing."""

    mappings: list[MappingValues]


def method_name(lasso: float | None) -> str:
    """Return the name of a method of mapping; None: greedy."""
    return GREEDY if lasso is None else f'λ={lasso:g}'


@function('reduced networks', version=1, seconds=lambda **_: 0.02, returns=ReducedValues)
def reduced_networks(candidates: Sequence[StoredNetwork], count: int) -> JobResult[ReducedValues]:
    """Pick the first networks that could be retrained after every reduction step.

    Args:
        candidates: networks, some of which may be missing.
        count: largest number of networks.

    Returns:
        values: `tried`.
        networks: `network_0`, `network_1`, ...
    """
    networks: dict[str, tuple[QNetwork, Mapping[str, object]]] = {}
    tried = 0
    for candidate in candidates:
        if len(networks) == count:
            break
        tried += 1
        checkpoint = _load(candidate)
        if checkpoint is not None:
            own = (checkpoint.network, checkpoint.metadata)
            networks[f'network_{len(networks)}'] = own
    return JobResult({'tried': tried}, networks=networks)


def _random_seconds(count: int, **_: object) -> float:
    return 0.01 * count


@function('random networks', version=1, seconds=_random_seconds, returns=RandomValues)
def random_networks(
    trained: Sequence[StoredNetwork], seed: int, count: int
) -> JobResult[RandomValues]:
    """Make untrained networks of the mean size of some networks.

    Args:
        trained: networks for the same arm.
        seed: of the weights (Glorot uniform; biases are zero).
        count: number of networks.

    Returns:
        values: `hidden`.
        networks: `random_0`, `random_1`, ...
    """
    import numpy as np
    import torch

    from neuron_reach.analysis.samples import random_network
    from neuron_reach.learning.checkpoint import describe
    from neuron_reach.learning.training import Member

    found = [checkpoint for network in trained if (checkpoint := _load(network)) is not None]
    if not found:
        return JobResult({'hidden': None})
    hidden = np.mean([checkpoint.network.sizes[1:-1] for checkpoint in found], axis=0)
    setup = found[0].setup.with_hidden(tuple(int(size) for size in hidden.round()))
    networks = {}
    for number in range(count):
        weights = random_network_seed(seed, setup.arm.joints, number)
        generator = torch.Generator().manual_seed(weights)
        metadata = describe(setup, Member(number), None)
        networks[f'random_{number}'] = (random_network(setup.layer_sizes, generator), metadata)
    return JobResult({'hidden': hidden.tolist()}, networks=networks)


def _map_seconds(
    target: NetworkJob,
    sources: Sequence[SourceJob],
    lassos: Sequence[float],
    greedy: bool,
    **_: object,
) -> float:
    """Estimate CPU seconds; fitted to networks of 48 neurons per layer before they were pruned."""
    job = target['result']
    if 'candidates' in job.arguments:
        job = job.arguments['candidates'][0]['result']
    while isinstance(job.arguments.get('source'), Job):
        job = job.arguments['source']
    hidden = job.arguments.get('options', {}).get('hidden', [48])
    wider = math.sqrt(max(hidden) / 48)
    return 0.2 + len(sources) * (0.12 + 0.11 * len(lassos) + 0.1 * greedy) * wider


@function('map', version=1, seconds=_map_seconds, returns=MapValues)
def map_onto(
    target: StoredNetwork,
    stand_in: StoredNetwork,
    sources: Sequence[StoredSource],
    transform: str,
    episodes: int,
    lassos: Sequence[float],
    greedy: bool,
) -> JobResult[MapValues]:
    """Map networks onto one, on the inputs of sample episodes of this one.

    Networks are given by the `result` that holds them and their `name` there; networks that are
    missing, as their training was given up, are skipped.

    Args:
        target: the network to map onto.
        stand_in: replaces it on the same inputs where `kind` is RANDOM_BOTH.
        sources: the networks to map.
        transform: of the inputs, see `input_transform`.
        episodes: for X, without duplicates, and as many fresh ones for X_V.
        lassos: lambda of each linear mapping.
        greedy: whether to make a greedy mapping too.

    Returns:
        values: `mappings`.
        arrays: error, hidden_error (of hidden targets only), saturation, coverage, (mappings,),
            NaN where a metric is not defined; layers, (mappings, source layers, target layers).
    """
    import numpy as np

    from neuron_reach.analysis.mapping import input_samples, map_records, run_network
    from neuron_reach.analysis.transforms import input_transform
    from neuron_reach.records.recording import record_checkpoint

    played, other = _load(target), _load(stand_in)
    if played is None or other is None:
        return JobResult({'mappings': []})
    goals = fresh_goals(played.metadata['seed'])
    own = [record_checkpoint(played, episodes), record_checkpoint(played, episodes, goals)]
    others = [run_network(other.network, record) for record in own]
    samples = input_samples(own[0])
    found = []
    entries: list[MappingValues] = []
    for network in sources:
        source = _load(network)
        if source is None:
            continue
        matrix = input_transform(
            target=played.setup.arm.joints, source=source.setup.arm.joints, kind=transform
        )
        ran = [run_network(source.network, record, matrix) for record in own]
        onto = others if network['kind'] == RANDOM_BOTH else own
        for mapping in map_records(
            target=onto[0],
            source=ran[0],
            target_validation=onto[1],
            source_validation=ran[1],
            samples=samples,
            lams=lassos,
            greedy=greedy,
            sample_error=False,
            threads=1,
        ):
            found.append(mapping)
            entries.append(
                {
                    'kind': network['kind'],
                    'number': network['number'],
                    'lasso': mapping.projection.lam,
                    'samples': mapping.samples,
                    'dead': len(mapping.projection.dead_targets),
                    'unmapped': len(mapping.projection.unmapped_targets),
                    'residual': mapping.residual,
                }
            )
    if not found:
        return JobResult({'mappings': []})
    arrays = {name: np.array([getattr(mapping, name) for mapping in found]) for name in METRICS}
    missed, total = np.stack([mapping.layer_errors[:-1].sum(axis=0) for mapping in found], axis=1)
    arrays['hidden_error'] = np.divide(
        missed, total, out=np.full(len(total), np.nan), where=total > 0
    )
    arrays['layers'] = np.stack([mapping.layers for mapping in found])
    return JobResult({'mappings': entries}, arrays)


def _load(network: StoredNetwork | StoredSource) -> Checkpoint | None:
    """Return the checkpoint of a network, None if it is missing."""
    return network['result'].find_checkpoint(network['name'])
