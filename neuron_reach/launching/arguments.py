"""The arguments of a run, `name:=value`, said once for the command line and for `ros2 launch`.

No ROS imports here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.common.options import allowed, check_keys, fill, load_yaml, option
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.learning.setup import SessionOptions, Setup


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
class _Configured:
    config: str = option('', 'YAML file with any of the arguments as its keys', path=True)


DESCRIPTIONS = {
    'train': 'Train an arm to reach over ROS topics, then record sample episodes into a bag.',
    'record': 'Record sample episodes of a trained network, with all activations, into a bag.',
    'run': 'Run a trained network live, one control cycle every 50 ms, until Ctrl-C.',
    'prune': 'Reduce a trained network over ROS: record, prune and train on, several times.',
}
"""The graphs there are."""

COMMANDS = {name: name for name in DESCRIPTIONS} | {'prune': 'reduce'}
"""What they are called on the command line, where `prune` does it once, and without ROS."""


def argument_fields(graph: str = 'train') -> list[dataclasses.Field[Any]]:
    """Return the fields of all launch arguments but `config`, those of the run first."""
    inherited = len(dataclasses.fields(SessionOptions)) + len(dataclasses.fields(GazeboOptions))
    run = dataclasses.fields(RunOptions)
    run = (*run[inherited:], *run[:inherited])
    if graph != 'prune':
        return [*run, *Setup.fields()]
    # Everything else stays as it was when the network was trained.
    budget = [field for field in Setup.fields() if field.name == 'max_episodes']
    own = dataclasses.fields(PruningOptions), dataclasses.fields(ReductionOptions)
    return [*own[0], *own[1], *budget, *run]


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
        Setup.from_values(values, file)
        for options in (RunOptions, PruningOptions, ReductionOptions):
            fill(options, values, file)
    values.update({key: text for key, text in given.items() if text != '' and key != 'config'})
    return values


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
