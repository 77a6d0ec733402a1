# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Map policies of any origin from disk onto each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from neuron_reach.analysis.mapping import halves, input_samples
from neuron_reach.analysis.options import REFLEXIVE, MapOptions
from neuron_reach.analysis.projection import Projection
from neuron_reach.analysis.transforms import input_matrix
from neuron_reach.common.arrays import Array
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.random_streams import map_fresh_goals
from neuron_reach.errors import UserError
from neuron_reach.policies.policy import Policy
from neuron_reach.records.belonging import check_whole
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import check_finite, read_records
from neuron_reach.workflows.mapper import Mapper, Runs
from neuron_reach.workflows.mapping_summary import TRAINED, Pair
from neuron_reach.workflows.policies import (
    load_policy,
    missing_episodes,
    own_episodes,
    read_episodes,
)


class PolicyMapper(Mapper):
    """Maps policies of any origin."""

    def __init__(
        self,
        *,
        sources: Sequence[Network],
        targets: Sequence[Network],
        options: MapOptions,
        bag: Path | None = None,
        validation: Path | None = None,
    ) -> None:
        """Load the policies.

        Args:
            sources: networks that predict.
            targets: networks that are predicted.
            options: how.
            bag: sample episodes on which a single target is mapped, its own or of any network with
                as many inputs; None: those beside each target, or played if it is of the reaching
                task.
            validation: a bag with the fresh episodes of a single target, as `bag`; None: the second
                half of the sample episodes, or played if it is of the reaching task.

        Raises:
            UserError: a policy cannot be loaded, or options contradict each other.
        """
        if options.baselines:
            raise UserError('--baseline is for networks of the reaching task')
        if bag is not None and len(targets) > 1:
            raise UserError('--bag is for a single target network')
        super().__init__(sources=sources, targets=targets, options=options, validation=validation)
        self.bag = bag
        self.sources = [(source, load_policy(source, 'a source is run anew')) for source in sources]
        self.policies = [load_policy(target, 'a target is loaded') for target in targets]

    def _onto(self, number: int, target: Network) -> Iterator[tuple[Pair, Projection, int]]:
        """Yield the mappings onto one target, see `Mapper`."""
        policy = self.policies[number]
        episodes = self._episodes(target, policy)
        samples = input_samples(episodes[0], self.options.tolerance)
        for index, (source, acting) in enumerate(self.sources):
            same = source.same(target)
            if same and not self.alone:
                continue
            for transform, matrix in self._matrices(source, acting, target, policy):
                runs = acting.run(episodes[0], matrix), acting.run(episodes[1], matrix)
                for run in runs:
                    check_finite(run, f'{source.name} on the inputs of {target.name}')
                for pair, projection in self.project(
                    runs=runs,
                    onto=episodes,
                    samples=samples,
                    kind=REFLEXIVE if same and matrix is None else TRAINED,
                    source=source.name,
                    target=target.name,
                    source_joints=None,
                    target_joints=None,
                    transform=transform,
                ):
                    yield pair, projection, index

    def _episodes(self, target: Network, policy: Policy) -> Runs:
        """Return the target's sample episodes and fresh ones."""
        count, fresh = self.options.episodes, None
        if self.validation is not None:
            fresh = self._read_inputs(target, policy, find_bag(self.validation))
        if self.bag is not None:
            record = self._read_inputs(target, policy, find_bag(self.bag))
        elif target.bag is not None:
            record = self._noted(
                read_episodes(target, target.bag, None, target.namespace), target.bag
            )
        elif policy.joints is not None:
            record = policy.record(episodes=count)
        else:
            raise missing_episodes(target.name)
        if fresh is not None:
            return record.first(count), fresh
        if policy.joints is not None:
            seed = map_fresh_goals(self.options.seed, policy.seed)
            return record.first(count), policy.record(episodes=count, seed=seed)
        return halves(record.first(2 * count))

    def _read_inputs(self, target: Network, policy: Policy, bag: Path) -> ActivityRecord:
        """Return the episodes in a bag; of another network, with the target run on its inputs."""
        record = read_records(bag, namespace=target.namespace)
        if record.network.get('digest') == policy.network.digest:
            record = own_episodes(target, bag, record)
            check_whole(record, bag)
            return self._noted(record, bag)
        inputs = dict(zip(record.layers, record.sizes, strict=True)).get('input', 0)
        if inputs != policy.sizes[0]:
            raise UserError(
                f'{bag}: was recorded with {inputs} inputs, but {target.name} has {policy.sizes[0]}'
            )
        self.notes.append(f'{bag}: is of another network; {target.name} is run on its inputs')
        return self._noted(policy.run(record), bag)

    def _noted(self, record: ActivityRecord, bag: Path) -> ActivityRecord:
        self.notes += [f'{bag}: {note}' for note in record.notes]
        return record

    def _matrices(
        self, source: Network, acting: Policy, target: Network, policy: Policy
    ) -> Iterator[tuple[str, Array | None]]:
        """Yield the transforms of inputs by name; None where the inputs are the same."""
        inputs = {'source': acting.sizes[0], 'target': policy.sizes[0]}
        for name, values in self.files.items():
            yield Path(name).stem, input_matrix(values, name, **inputs)
        if self.files:
            return
        if inputs['source'] != inputs['target']:
            raise UserError(
                f'{source.name} has {inputs["source"]} inputs, but {target.name} has '
                f'{inputs["target"]}; give --transform FILE.yaml with a matrix or names of inputs'
            )
        yield 'none', None
