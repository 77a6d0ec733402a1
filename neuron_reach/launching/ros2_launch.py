# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Translate a graph, which launching/graph.py defines, into a description for `ros2 launch`."""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    GroupAction,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted, ShutdownProcess
from launch.logging import get_logger
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from neuron_reach.common.options import check_keys
from neuron_reach.common.processes import INTERRUPTED
from neuron_reach.common.ros_environment import LAUNCHER
from neuron_reach.errors import UserError
from neuron_reach.launching import graph
from neuron_reach.launching.arguments import (
    argument_fields,
    check_choices,
    describe_argument,
)
from neuron_reach.launching.graph import Phase, Process
from neuron_reach.launching.starter import PATIENCE

PACKAGE = 'neuron_reach'
_LAUNCHS_OWN = {'launch-prefix', 'launch-prefix-filter'}


def describe(name: str) -> LaunchDescription:
    """Return the launch description of a graph: its arguments, and what starts its processes."""
    arguments = [
        # Empty means not given; any other default would override the keys of the config file.
        DeclareLaunchArgument(
            field.name,
            default_value='',
            description=describe_argument(field),
            choices=['', *field.metadata['choices']] if field.metadata['choices'] else None,
        )
        for field in argument_fields(name)
    ]
    config = DeclareLaunchArgument(
        'config', default_value='', description='YAML file with any of these arguments as its keys'
    )
    declared = [config, *arguments]
    names = [argument.name for argument in declared]
    # First, because launch's own message for a wrong choice does not suggest the closest one.
    check = OpaqueFunction(function=_check, args=(name, names))
    start = OpaqueFunction(function=_start, args=(name, names))
    return LaunchDescription([check, *declared, start])


def _check(context: LaunchContext, name: str, arguments: Sequence[str]) -> None:
    """Refuse arguments that are unknown, or are not among the choices.

    Raises:
        UserError: launch prints its message and returns 1.
    """
    check_arguments(context, arguments)
    given = context.launch_configurations
    check_choices({key: given[key] for key in arguments if given.get(key)}, name)


class Scope:
    """The namespace, remaps, parameters and environment in which a launch file is included.

    Event handlers run outside all groups, so the processes they start must reenter this scope.
    """

    def __init__(self, context: LaunchContext) -> None:
        # A deep copy, because later remaps are appended to the same list.
        self.configurations = copy.deepcopy(context.launch_configurations)
        self.environment = dict(context.environment)

    @property
    def namespace(self) -> str:
        """The namespace from the root on."""
        return str(self.configurations.get('ros_namespace') or '/')

    def around(self, actions: Sequence[Any]) -> list[Any]:
        """Return actions that start in this scope, whenever they are returned to launch."""
        return [GroupAction([OpaqueFunction(function=self._enter), *actions])]

    def _enter(self, context: LaunchContext) -> None:
        for now, kept in (
            (context.launch_configurations, self.configurations),
            (context.environment, self.environment),
        ):
            now.clear()
            now.update(kept)

    def refuse_remaps(self) -> None:
        """Raise UserError if there are remaps, which the controllers in Gazebo do not apply."""
        if self.configurations.get('ros_remaps'):
            raise UserError(
                'remaps (SetRemap) do not reach the controllers in the Gazebo of a ROS 2 '
                'installation; use a namespace (namespace:=, PushRosNamespace)'
            )


def check_arguments(context: LaunchContext, known: Iterable[str]) -> None:
    """Refuse unknown arguments on the command line of `ros2 launch`.

    If another launch file includes this one, the arguments belong to that file and are not checked.

    Raises:
        UserError: an argument is unknown.
    """
    file = Path(context.get_locals_as_dict().get('current_launch_file_path', ''))
    named = any(Path(word).resolve() == file.resolve() for word in sys.argv)
    if named or (PACKAGE, file.name) in itertools.pairwise(sys.argv):
        given = {word.partition(':=')[0] for word in context.argv}
        check_keys(dict.fromkeys(given - _LAUNCHS_OWN), set(known), 'arguments')
        empty = [word for word in context.argv if word.endswith(':=')]
        if empty:
            raise UserError(f'argument {empty[0][:-2]} is empty; leave it out for its default')


def _start(context: LaunchContext, name: str, arguments: Sequence[str]) -> list[Any]:
    """Start the first phase.

    Raises:
        UserError: an argument is unknown or bad; launch prints its message and returns 1.
    """
    values = {argument: context.launch_configurations[argument] for argument in arguments}
    scope = Scope(context)
    phases = graph.build(name, values, scope.namespace)
    if any(process.name == 'gazebo' for phase in phases for process in phase.followers):
        scope.refuse_remaps()
    return _actions(phases, scope)


def _actions(phases: Sequence[Phase], scope: Scope) -> list[Any]:
    """Return the processes of the first phase; after they have ended, the next phase starts."""
    if not phases:
        return []
    phase, *later = phases
    ended = []

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Any] | None:
        if context.is_shutdown:  # after Ctrl-C or a failure, launch ends the others
            return None
        ended.append(event.action)
        process = processes[actions.index(event.action)]
        interrupted = actions[0] in ended[:-1] and bool(process.command)
        # After an interrupt, the exit code of the `ros2` command is the signal's number.
        if event.returncode not in ({0, int(signal.SIGINT)} if interrupted else {0}):
            fail(f'{process.name} failed (exit code {event.returncode})')
        if actions[0] not in ended:
            fail(f'{process.name} ended early')
        remaining = [action for action in actions if action not in ended]
        if remaining:
            return [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(remaining[0])))]
        return _actions(later, scope)

    def fail(message: str) -> NoReturn:
        pairs = zip(actions, processes, strict=True)
        nodes = [action for action, process in pairs if not process.command]
        _give_up(node for node in nodes if node not in ended)
        if phase.after_failure:
            subprocess.run(_words(phase.after_failure), check=False, env=scope.environment)
        raise RuntimeError(message)  # ends the launch

    processes = [phase.leader, *phase.followers]
    actions = [_action(process, on_exit) for process in processes]
    started = OnProcessStart(target_action=actions[0], on_start=_expect_interrupt)
    return scope.around([RegisterEventHandler(started), *actions])


def _expect_interrupt(event: ProcessStarted, context: LaunchContext) -> None:
    """Keep launch from logging an error when Ctrl-C interrupts the leader of a healthy run."""

    def is_logged(record: logging.LogRecord) -> bool:
        return not (context.is_shutdown and f'exit code {INTERRUPTED},' in record.getMessage())

    get_logger(event.process_name).addFilter(is_logged)


def _give_up(actions: Iterable[ExecuteProcess]) -> None:
    """End nodes at once; after launch's interrupt they would first process pending messages."""
    for action in actions:
        if action.process_details is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(action.process_details['pid'], signal.SIGTERM)


def _words(command: Sequence[str]) -> list[str]:
    return [_python() if word == sys.executable else word for word in command]


def _action(process: Process, on_exit: Any) -> ExecuteProcess:
    # Saving a checkpoint or closing a bag may take longer than launch's five seconds.
    shared = {'output': 'screen', 'on_exit': on_exit, 'sigterm_timeout': str(PATIENCE)}
    if process.command:
        return ExecuteProcess(cmd=_words(process.command), name=process.name, **shared)
    return Node(
        package=PACKAGE,
        executable=process.name,
        name=process.name,
        namespace=process.namespace,
        parameters=[_parameters(process.parameters)],
        additional_env={'PYTHONUNBUFFERED': '1', LAUNCHER: str(os.getpid())},
        **shared,
    )


def _python() -> str:
    """Return the interpreter of the nodes; the one that runs `ros2` may lack PyTorch."""
    python = Path(get_package_prefix(PACKAGE), 'bin', 'python3')
    return str(python) if python.exists() else 'python3'


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Mark texts as texts, because launch_ros would read '1' as a number."""
    return {
        key: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for key, value in values.items()
    }
