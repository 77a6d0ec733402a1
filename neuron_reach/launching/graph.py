# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The graphs: which processes a run consists of, for `ros2 launch` and for the starter.

No ROS imports here. A graph is what one command starts: a list of phases that run one after the
other. A phase is a group of processes that run together. It ends when its leader ends; its
followers are then ended in the order in which they are listed, so that messages in transit are
still recorded.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.bags.seal import read_seal
from neuron_reach.common.files import read_json
from neuron_reach.common.lookup import check_holder, find_checkpoint
from neuron_reach.common.names import (
    BAG,
    CHECKPOINT,
    METADATA,
    PRUNED,
    REDUCED,
    RESULTS,
    numbered_bag,
    step_folder,
)
from neuron_reach.common.options import fill
from neuron_reach.common.paths import holds_nothing, is_checkpoint
from neuron_reach.common.random_streams import step_seed
from neuron_reach.common.resources import has_package
from neuron_reach.errors import UserError
from neuron_reach.gazebo import tree
from neuron_reach.inspection.options import InspectionOptions
from neuron_reach.launching.arguments import (
    InspectOptions,
    RunOptions,
    full_namespace,
    read_arguments,
    run_options,
)
from neuron_reach.learning.setup import SessionOptions, Setup, whole_rounds
from neuron_reach.messages import inspected_topics, recorded_topics


@dataclasses.dataclass(frozen=True)
class Process:
    """One operating-system process: a node of this package, or any other program.

    Attributes:
        name: of the node (and of its executable), or of the program.
        parameters: of the node.
        command: of a program that is no node of this package.
        namespace: of the node, from the root on.
    """

    name: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()
    namespace: str = '/'


@dataclasses.dataclass(frozen=True)
class Phase:
    """Processes that run together; the leader is the first, its followers end in their order."""

    title: str
    leader: Process
    followers: tuple[Process, ...] = ()
    after_failure: tuple[str, ...] = ()
    """A command to run if the phase fails."""

    def within(self, namespace: str) -> Phase:
        """Return the same phase with its nodes in a namespace."""
        leader, *followers = (
            dataclasses.replace(process, namespace=namespace)
            for process in (self.leader, *self.followers)
        )
        return dataclasses.replace(self, leader=leader, followers=tuple(followers))


def build(graph: str, given: Mapping[str, str], parent: str = '/') -> list[Phase]:
    """Return the phases of a graph for launch arguments as the user wrote them.

    Args:
        graph: one of `arguments.DESCRIPTIONS`.
        given: the arguments.
        parent: the namespace in which the graph is started.

    Raises:
        UserError: an argument is unknown, out of range or contradicts the checkpoint.
    """
    values = read_arguments(given, graph)
    if graph == 'inspect':
        return _inspect(fill(InspectOptions, values, 'arguments'), parent)
    run = fill(run_options(graph), values, 'arguments')
    run = dataclasses.replace(run, namespace=full_namespace(run.namespace, parent))
    if run.backend == 'gazebo' and not _native_gazebo():
        tree.require()
    return [phase.within(run.namespace) for phase in _phases(graph, values, run)]


def _phases(graph: str, values: dict[str, Any], run: RunOptions) -> list[Phase]:
    if graph == 'train':
        if run.checkpoint:
            raise UserError('arguments: train starts anew or resumes run_dir; leave out checkpoint')
        return _train(Setup.from_values(values, 'arguments'), run, 'record' in values)
    if graph == 'prune-train':
        return _prune_train(values, run)
    return _play(graph, *_trained(values, run))


def _train(setup: Setup, run: RunOptions, asked: bool) -> list[Phase]:
    """Return the phases of a training; `asked`: the user gave a number of episodes to record."""
    run_dir = run_folder(setup, run)
    checkpoint, bag = run_dir / CHECKPOINT, run_dir / BAG
    learning = _learning(setup, run, run_dir)
    check_folder(run_dir)
    if not holds_nothing(bag):
        needed = run.record if asked else 0
        return [_check(bag, checkpoint, needed), learning, _describe(run_dir)]
    if not run.record:
        return [learning, _describe(run_dir)]
    recording = _recording(setup, run, checkpoint, bag, 'lockstep')
    return [learning, recording, _keep('report', run, checkpoint, bag, run_dir)]


def check_folder(run_dir: Path) -> None:
    """Make sure that a training does not put its network beside the bag of another network.

    Raises:
        UserError: there is a bag, but no trained network; or it is no run folder, but a bag or a
            checkpoint.
    """
    check_holder(run_dir)
    bag = run_dir / BAG
    if not holds_nothing(bag) and not is_checkpoint(run_dir / CHECKPOINT):
        raise UserError(
            f'{bag}: belongs to another network than the one to be trained; '
            'move it away or name another run_dir'
        )


def _learning(setup: Setup, run: RunOptions, run_dir: Path, start: str = '') -> Phase:
    """Return the phase that trains in a folder, from random weights or from the network `start`."""
    clock = _clock(run, 'lockstep')
    if clock == 'realtime':  # there is only one arm
        setup = dataclasses.replace(setup, learning=dataclasses.replace(setup.learning, arms=1))
    realtime = clock == 'realtime'
    return Phase(
        'training',
        _policy(setup, run, mode='train', run_dir=str(run_dir), start=start, realtime=realtime),
        (_ACTIVATIONS, _simulator(setup, run, setup.learning.arms, clock)),
    )


def _prune_train(values: dict[str, Any], run: RunOptions) -> list[Phase]:
    """Return the remaining phases of the pruning procedure."""
    pruning = fill(PruningOptions, values, 'arguments')
    options = fill(ReductionOptions, values, 'arguments')
    if not run.record:
        raise UserError('arguments: record must be at least 1 episode, not 0')
    setup, found = _trained(values, dataclasses.replace(run, run_dir=''))
    source = Path(found.checkpoint)
    folder = Path(run.run_dir) if run.run_dir else source.parent / REDUCED
    check_holder(folder)
    flags = _flags(pruning) + _flags(options, ('samples',)) + ('--episodes', str(run.record))
    summary = _command(
        'summary',
        *('prune-train', str(source), '-o', str(folder), *flags, *_flags(options, ('steps',))),
        *('--max-episodes', str(setup.training.max_episodes), '--summary'),
    )
    phases = [summary]
    for step in range(1, options.steps + 1):
        own = step_folder(folder, step)
        if not (own / RESULTS['prune']).exists():
            before = source if step == 1 else step_folder(folder, step - 1) / CHECKPOINT
            bag = _whole_bag(own)
            if holds_nothing(bag):
                recorded = setup if step == 1 else _with_seed(setup, step - 1)
                phases.append(_recording(recorded, run, before, bag, 'lockstep'))
                phases.append(_keep('checking', run, before, bag))
            merge = ('prune', str(before), '--bag', str(bag), '-o', str(own), *flags)
            phases.append(_command('pruning', *merge))
        learning = _learning(_with_seed(setup, step), run, own, str(own / PRUNED))
        phases.append(dataclasses.replace(learning, after_failure=summary.leader.command))
    return [*phases, summary]


def _whole_bag(folder: Path) -> Path:
    """Return the complete bag in a folder, or the path at which to record it."""
    bags = (numbered_bag(folder, number) for number in itertools.count(1))
    return next(bag for bag in bags if holds_nothing(bag) or read_seal(bag))


def _with_seed(setup: Setup, step: int) -> Setup:
    """Return the options of the training in a reduction step."""
    seed = step_seed(setup.training.seed, step)
    return dataclasses.replace(setup, training=dataclasses.replace(setup.training, seed=seed))


def _flags(options: Any, only: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return options as flags of a command."""
    flags = []
    for name, value in vars(options).items():
        if not only or name in only:
            flags += [f'--{name.replace("_", "-")}', str(value)]
    return tuple(flags)


def _command(title: str, *words: str) -> Phase:
    """Return a phase that is a command of this package."""
    return Phase(title, Process(title, command=(sys.executable, '-m', 'neuron_reach', *words)))


def _trained(values: dict[str, Any], run: RunOptions) -> tuple[Setup, RunOptions]:
    """Return the setup of a checkpoint; the user's arguments must agree with it."""
    if not run.checkpoint:
        run_dir = run_folder(Setup.from_values(values, 'arguments'), run)
        run = dataclasses.replace(run, checkpoint=str(run_dir / CHECKPOINT))
    elif Path(run.checkpoint).exists():
        found = find_checkpoint(Path(run.checkpoint))
        run = dataclasses.replace(run, checkpoint=str(found))
    metadata_file = Path(run.checkpoint) / METADATA
    if not metadata_file.exists():
        raise UserError(
            f'{metadata_file}: no trained network there; '
            'name one with checkpoint:=FOLDER, or train one first'
        )
    options = read_json(metadata_file, {'options': dict})['options']
    trained = Setup.from_saved(options, str(metadata_file)).values()
    asked = Setup.from_values(values, 'arguments').values()
    for key in ('joints', 'hidden'):
        if key in values and asked[key] != trained[key]:
            raise UserError(
                f'arguments: {key}={asked[key]}, but {run.checkpoint} has {key}={trained[key]}'
            )
    own = {field.name for field in Setup.fields()} - {'joints', 'hidden'}
    merged = {**trained, **{key: value for key, value in values.items() if key in own}}
    return Setup.from_values(merged, str(metadata_file)), run


def _play(graph: str, setup: Setup, run: RunOptions) -> list[Phase]:
    checkpoint = Path(run.checkpoint)
    if graph == 'run' and not run.record:
        policy = _policy(setup, run, mode='run', checkpoint=str(checkpoint), arms=1, realtime=True)
        return [Phase('running', policy, (_ACTIVATIONS, _simulator(setup, run, 1, 'realtime')))]
    clock = 'realtime' if graph == 'run' else 'lockstep'
    run_dir = Path(run.run_dir) if run.run_dir else checkpoint.parent
    check_holder(run_dir)
    bag = run_dir / BAG
    if not holds_nothing(bag):
        raise UserError(f'{bag}: exists already; move it away or name another run_dir')
    if not run.record:
        raise UserError('arguments: record must be at least 1 episode, not 0')
    recording = _recording(setup, run, checkpoint, bag, clock)
    return [recording, _keep('report', run, checkpoint, bag, bag)]


MOST_HIDDEN = 16
"""Hidden layers of a policy of other origin that are recorded at most."""


def _inspect(options: InspectOptions, parent: str) -> list[Phase]:
    """Return the phase that looks inside a policy on a robot, and describes the bag at its end."""
    for name in ('policy', 'inputs'):
        path = getattr(options, name)
        if not path:
            raise UserError(f'arguments: {name} is missing; name a file with {name}:=FILE')
        if not Path(path).exists():
            raise UserError(f'arguments: {name}: {path} does not exist')
    namespace = full_namespace(options.namespace, parent)
    own = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(InspectionOptions)
    }
    parameters = {**own, 'recorded': bool(options.record), 'use_sim_time': options.use_sim_time}
    inspector = Process('policy_inspector', parameters)
    if not options.record:
        return [Phase('inspecting', inspector).within(namespace)]
    bag = Path(options.record)
    if not holds_nothing(bag):
        raise UserError(f'{bag}: exists already; name another folder to record into')
    topics = list(inspected_topics(MOST_HIDDEN))
    recorder = Process(
        'bag_recorder', {'bag': str(bag), 'storage': options.storage, 'topics': topics}
    )
    return [Phase('inspecting', inspector, (recorder,)).within(namespace), _describe(bag)]


def _recording(setup: Setup, run: RunOptions, checkpoint: Path, bag: Path, clock: str) -> Phase:
    clock = _clock(run, clock)
    arms = 1 if clock == 'realtime' else whole_rounds(run.record, setup.learning.arms)
    policy = _policy(
        setup,
        run,
        mode='run',
        checkpoint=str(checkpoint),
        arms=arms,
        realtime=clock == 'realtime',
        episodes=run.record,
        observers=2,
    )
    activations = dataclasses.replace(_ACTIVATIONS, parameters={'recorded': True})
    followers = (activations, _bag_recorder(setup, run, bag), _simulator(setup, run, arms, clock))
    return Phase('recording', policy, followers)


def run_folder(setup: Setup, run: RunOptions) -> Path:
    """Return the folder of a training run."""
    return Path(run.run_dir or f'runs/joints{setup.arm.joints}_seed{setup.training.seed}')


NATIVE_PACKAGES = ('gazebo_ros', 'gazebo_ros2_control', 'position_controllers')
NATIVE_START = 240.0
"""Seconds for Gazebo to start, to spawn the arm, and to spawn each of two controllers; each of
these steps has its own limit (60 s)."""

_ACTIVATIONS = Process('activation_recorder', {'recorded': False})


def _simulator(setup: Setup, run: RunOptions, arms: int, clock: str) -> Process:
    parameters = {**vars(setup.arm), 'arms': arms, 'clock': clock}
    if run.backend == 'kinematic':
        return Process('arm_simulator', parameters)
    gazebo = vars(run.gazebo)
    if not _native_gazebo():
        return Process('gazebo_simulator', {**parameters, **gazebo})
    keys = ('joints', 'arm_length', 'bend', 'velocity_limit')
    given = {**{key: parameters[key] for key in keys}, **gazebo, 'namespace': run.namespace}
    arguments = [f'{key}:={str(value).lower()}' for key, value in given.items()]
    return Process(
        'gazebo', command=('ros2', 'launch', 'neuron_reach', 'gazebo.launch.py', *arguments)
    )


def _native_gazebo() -> bool:
    """Return whether a ROS 2 installation has Gazebo, which is then used instead of ours."""
    return bool(shutil.which('ros2')) and all(map(has_package, NATIVE_PACKAGES))


def _clock(run: RunOptions, wanted: str) -> str:
    """Return the clock: the Gazebo of a ROS 2 installation has no lockstep."""
    native = run.backend == 'gazebo' and _native_gazebo()
    return 'realtime' if native else wanted


def _policy(setup: Setup, run: RunOptions, **own: Any) -> Process:
    native = {}
    if run.backend == 'gazebo' and _native_gazebo():
        native = {'use_sim_time': True, 'start_timeout': NATIVE_START}
    session = run.shared(SessionOptions)
    return Process('dqn_policy', {**setup.values(), **session, **native, **own})


def _bag_recorder(setup: Setup, run: RunOptions, bag: Path) -> Process:
    parameters = {'bag': str(bag), 'keep_partial': True, 'storage': run.storage}
    topics = list(recorded_topics(len(setup.learning.hidden)))
    return Process('bag_recorder', {**parameters, 'topics': topics})


def _keep(
    title: str, run: RunOptions, checkpoint: Path, bag: Path, described: Path | None = None
) -> Phase:
    """Return the phase that checks a recording, renames it, and describes a path."""
    info = () if described is None else ('--info', str(described))
    return _command(title, 'recording', 'keep', str(bag), str(checkpoint), str(run.record), *info)


def _check(bag: Path, checkpoint: Path, episodes: int) -> Phase:
    """Return the phase that checks an existing bag."""
    return _command('checking', 'recording', 'check', str(bag), str(checkpoint), str(episodes))


def _describe(path: Path) -> Phase:
    """Return the last phase, which describes what the run left behind."""
    return _command('report', 'info', str(path))
