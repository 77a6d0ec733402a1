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

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from neuron_reach.analysis.mapping import halves, input_samples, map_records
from neuron_reach.analysis.options import REFLEXIVE, TRANSFORMS, MapOptions
from neuron_reach.analysis.transforms import input_matrix
from neuron_reach.common.arrays import Array
from neuron_reach.common.lookup import find_bag
from neuron_reach.common.options import load_yaml
from neuron_reach.common.random_streams import map_fresh_goals
from neuron_reach.errors import UserError
from neuron_reach.policies.policy import Policy
from neuron_reach.records.networks import Network
from neuron_reach.records.record import ActivityRecord
from neuron_reach.records.recording import check_finite, read_records
from neuron_reach.workflows.mapping_summary import TRAINED, Example, GroupKey, Pair
from neuron_reach.workflows.policies import load_policy, missing_episodes, read_episodes

Runs = tuple[ActivityRecord, ActivityRecord]
"""One network in the sample episodes X and in the validation episodes X_V."""


class PolicyMapper:
    """Maps every source policy onto every target policy; does what `PairMapper` does.

    Attributes:
        same_networks: sources and targets are the same networks.
        notes: defects of the recordings, a line each.
    """

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
        for flag, given in (('--bag', bag), ('--validation', validation)):
            if given is not None and len(targets) > 1:
                raise UserError(f'{flag} is for a single target network')
        self.options, self.bag, self.validation = options, bag, validation
        self.sources = [(source, load_policy(source, 'a source is run anew')) for source in sources]
        self.targets = [(target, load_policy(target, 'a target is loaded')) for target in targets]
        self.alone = len(sources) == len(targets) == 1
        self.same_networks = all(
            any(network.same(other) for other in others)
            for networks, others in ((sources, targets), (targets, sources))
            for network in networks
        )
        self.files = {
            name: load_yaml(name) for name in options.transforms if name not in TRANSFORMS
        }
        self.notes: list[str] = []

    def run(self, report: Callable[[int, str], None]) -> tuple[list[Pair], list[Example]]:
        """Map all pairs; see `PairMapper.run`."""
        pairs: list[Pair] = []
        examples: dict[GroupKey, Example] = {}
        for number, (target, policy) in enumerate(self.targets):
            done = number * len(self.sources)
            report(done, f'episodes of {target.name}')
            for example in self._onto(target, policy):
                pairs.append(example.pair)
                examples.setdefault(example.pair.group, example)
                report(done, f'{example.pair.source} to {example.pair.target}')
            report(done + len(self.sources), '')
        return pairs, list(examples.values())

    def _onto(self, target: Network, policy: Policy) -> Iterator[Example]:
        """Yield the mappings onto one target."""
        options, episodes = self.options, self._episodes(target, policy)
        samples = input_samples(episodes[0], options.tolerance)
        for source, acting in self.sources:
            same = source.same(target)
            if same and not self.alone:
                continue
            for transform, matrix in self._matrices(source, acting, target, policy):
                runs = [acting.run(each, matrix) for each in episodes]
                for run in runs:
                    check_finite(run, f'{source.name} on the inputs of {target.name}')
                for mapping in map_records(
                    source=runs[0],
                    target=episodes[0],
                    source_validation=runs[1],
                    target_validation=episodes[1],
                    samples=samples,
                    lams=options.lams,
                    greedy=options.greedy,
                    inputs=options.inputs,
                ):
                    pair = Pair.of(
                        mapping,
                        kind=REFLEXIVE if same and matrix is None else TRAINED,
                        source=source.name,
                        target=target.name,
                        source_joints=None,
                        target_joints=None,
                        transform=transform,
                    )
                    yield Example(pair, mapping.projection)

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
            return self._noted(read_episodes(target, bag, None, target.namespace), bag)
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
