# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The arguments of a run, `name:=value`, defined once for the command line and `ros2 launch`.

No ROS imports here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.arm.simulator import ArmOptions
from neuron_reach.arm.task import TaskOptions
from neuron_reach.common.options import (
    allowed,
    check_keys,
    fill,
    load_yaml,
    option,
    read_option,
)
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.inspection.options import InspectionOptions
from neuron_reach.learning.setup import (
    LearningOptions,
    SessionOptions,
    Setup,
    TrainingOptions,
)


@dataclasses.dataclass(frozen=True)
class RunOptions(GazeboOptions, SessionOptions):
    """What to run and where to keep the results."""

    run_dir: str = option('', 'folder of the results; by default runs/joints<n>_seed<s>', path=True)
    checkpoint: str = option(
        '', 'folder of a trained network; by default that of run_dir', path=True
    )
    record: int = option(
        300, 'sample episodes to record into a bag; 0: none', low=0, high=10_000_000
    )
    storage: str = option('mcap', 'format of the bag', choices=('mcap', 'sqlite3'))
    backend: str = option('kinematic', 'what moves the arm', choices=('kinematic', 'gazebo'))
    namespace: str = option('', 'ROS namespace of the nodes, such as left or /robots/left')

    @property
    def gazebo(self) -> GazeboOptions:
        """The options of Gazebo alone."""
        return GazeboOptions(**self.shared(GazeboOptions))

    def shared(self, options: type[Any]) -> dict[str, Any]:
        """Return the values of the fields that another option dataclass has as well."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(options)}


@dataclasses.dataclass(frozen=True)
class LiveOptions(RunOptions):
    """The options of `run`, which records only if asked to."""

    record: int = option(
        0, 'episodes to record into a bag and then end; 0: run until Ctrl-C', low=0, high=10_000_000
    )


@dataclasses.dataclass(frozen=True)
class InspectOptions(InspectionOptions):
    """The options of `inspect`."""

    record: str = option('', 'folder of a new bag with all activations', path=True)
    storage: str = option('mcap', 'format of the bag', choices=('mcap', 'sqlite3'))
    use_sim_time: bool = option(False, 'measure time on /clock')
    namespace: str = option('', 'ROS namespace of the nodes, such as left or /robots/left')


@dataclasses.dataclass(frozen=True)
class _Configured:
    config: str = option('', 'YAML file with any of the arguments as its keys', path=True)


DESCRIPTIONS = {
    'train': 'Train an arm to reach over ROS topics, then record sample episodes into a bag.',
    'record': 'Record sample episodes of a trained network, with all activations, into a bag.',
    'run': 'Run a trained network live, one control cycle every 50 ms, until Ctrl-C.',
    'prune-train': 'Prune a trained network and retrain it over ROS topics, several times.',
    'inspect': 'Run a policy on the topics of a robot and publish what every layer computes.',
}
"""The graphs, by the names of the commands that start them."""


COMMON = ('run_dir', 'checkpoint', 'record', 'joints', 'hidden', 'seed', 'max_episodes', 'backend')
"""The arguments that come first in their groups."""


def run_options(graph: str) -> type[RunOptions]:
    """Return the class of a graph's options."""
    return LiveOptions if graph == 'run' else RunOptions


def argument_groups(graph: str = 'train') -> dict[str, list[dataclasses.Field[Any]]]:
    """Return the fields of all launch arguments but `config` under headings, common ones first."""
    if graph == 'inspect':
        return {'run': list(dataclasses.fields(InspectOptions))}
    gazebo = dataclasses.fields(GazeboOptions)
    simulated = {field.name for field in gazebo}
    run = [field for field in dataclasses.fields(run_options(graph)) if field.name not in simulated]
    training = dataclasses.fields(TrainingOptions)
    groups: dict[str, Sequence[dataclasses.Field[Any]]]
    if graph == 'prune-train':
        # Everything else stays as it was when the network was trained.
        budget = [field for field in training if field.name == 'max_episodes']
        pruning = dataclasses.fields(PruningOptions), dataclasses.fields(ReductionOptions)
        groups = {'run': run, 'pruning': [*pruning[0], *pruning[1]], 'learning': budget}
    else:
        groups = {
            'run': run,
            'arm': dataclasses.fields(ArmOptions),
            'task': dataclasses.fields(TaskOptions),
            'learning': [*dataclasses.fields(LearningOptions), *training],
        }
    return {
        heading: sorted(
            fields, key=lambda field: COMMON.index(field.name) if field.name in COMMON else 99
        )
        for heading, fields in {**groups, 'Gazebo': gazebo}.items()
    }


def argument_fields(graph: str = 'train') -> list[dataclasses.Field[Any]]:
    """Return the fields of all launch arguments but `config`, in the order of their groups."""
    return [field for group in argument_groups(graph).values() for field in group]


def describe_argument(field: dataclasses.Field[Any]) -> str:
    """Return the description of a launch argument: meaning, allowed values and default."""
    default = field.default
    if isinstance(default, tuple):
        default = f'[{", ".join(map(str, default))}]'
    said = '' if default == '' else f', default {default}'
    return f'{field.metadata["description"]} ({allowed(field)}{said})'


def read_arguments(given: Mapping[str, str], graph: str = 'train') -> dict[str, Any]:
    """Merge launch arguments over the `config` file's keys; empty arguments are not given.

    Raises:
        UserError: an unknown argument or key.
    """
    keys = {field.name for field in argument_fields(graph)}
    check_keys(given, keys | {'config'}, 'arguments')
    values: dict[str, Any] = {}
    if given.get('config'):
        file = fill(_Configured, given, 'arguments').config
        values = load_yaml(file)
        check_keys(values, keys, file)
        # Checked here as well, for a message that names the file.
        if graph == 'inspect':
            fill(InspectOptions, values, file)
        else:
            Setup.from_values(values, file)
            for options in (RunOptions, PruningOptions, ReductionOptions):
                fill(options, values, file)
    values.update({key: text for key, text in given.items() if text != '' and key != 'config'})
    return values


def check_choices(given: Mapping[str, str], graph: str) -> None:
    """Raise UserError if an argument is not one of its choices, with the closest one."""
    for field in argument_fields(graph):
        if field.metadata['choices'] and field.name in given:
            read_option(field, given[field.name], f'arguments: {field.name}')


def full_namespace(own: str, parent: str = '/') -> str:
    """Return a namespace from the root on; one that begins with / is that already.

    Raises:
        UserError: it is no valid name.
    """
    full = own if own.startswith('/') else f'{parent.rstrip("/")}/{own}'
    full = full if full == '/' else full.removesuffix('/')
    if not re.fullmatch(r'/|(/[A-Za-z_]\w*)+', full, re.ASCII) or len(full) > 150:
        raise UserError(
            'arguments: namespace must be names of letters, digits and _ that begin with no digit, '
            f'with / between them, at most 150 characters, not {own!r}'
        )
    return full
