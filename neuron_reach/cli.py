"""The command line, `neuron_reach COMMAND`: run graphs, train in process, tell of results.

Arguments of runs are written as in ROS: `joints:=2 run_dir:=/tmp/x`.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import signal
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from neuron_reach.commands import (
    analyze,
    film,
    gazebo,
    map,
    prune,
    prune_train,
    recording,
    reproduce,
)
from neuron_reach.commands.flags import Parser, add_command, add_namespace, path, spelled
from neuron_reach.common.processes import INTERRUPTED
from neuron_reach.common.versions import __version__
from neuron_reach.errors import UserError, printable
from neuron_reach.launching import graph, starter
from neuron_reach.launching.arguments import (
    COMMANDS,
    DESCRIPTIONS,
    RunOptions,
    argument_fields,
    describe_argument,
    read_arguments,
)

EPILOG = """\
examples:
  neuron_reach train                          train the 3-joint arm over ROS, record 300 episodes
  neuron_reach train joints:=2 hidden:=32 run_dir:=/tmp/x
  neuron_reach run checkpoint:=/tmp/x/checkpoint
  neuron_reach learn joints:=4                the same training in one process, without ROS
  neuron_reach info /tmp/x                    what a run, a checkpoint or a bag holds
  neuron_reach train --help                   all arguments
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    # A shell starts background jobs with SIGINT ignored; `kill -INT` shall end those as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A path need not be text in the encoding of the terminal; to tell of it must not be an error.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    try:
        options = _parser().parse_args(argv)
        code: int = options.command(options)
        return code
    except UserError as error:
        print(f'neuron_reach: error: {printable(str(error))}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog='neuron_reach',
        description='Look inside the networks that move robots: a planar arm learns to reach, '
        'and the activity of every neuron is recorded.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    for name, description in DESCRIPTIONS.items():
        command = add_command(commands, COMMANDS[name], description, _graph_command)
        command.set_defaults(graph=name)
        _add_run_arguments(command, name)
    description = 'Train in this process, without ROS; same arguments and results as train.'
    _add_run_arguments(add_command(commands, 'learn', description, _learn))
    analyze.add(commands)
    prune.add(commands)
    prune_train.add(commands)
    film.add(commands)
    gazebo.add(commands)
    reproduce.add(commands)
    map.add(commands)
    recording.add(commands)
    description = 'Say what a run folder, a checkpoint or a bag holds.'
    info = add_command(commands, 'info', description, _info)
    info.add_argument('path', type=path)
    add_namespace(info)
    return parser


def _add_run_arguments(command: Parser, name: str = 'train') -> None:
    lines = [f'{"config":<20}YAML file with any of the arguments below as `key: value`']
    for field in argument_fields(name):
        text = textwrap.wrap(describe_argument(field), 78)
        lines.append(f'{field.name:<20}{text[0]}')
        lines += [' ' * 20 + more for more in text[1:]]
    command.epilog = 'arguments (name:=value):\n' + textwrap.indent('\n'.join(lines), '  ')
    command.arguments = {'config', *(field.name for field in argument_fields(name))}
    command.add_argument('arguments', nargs='*', metavar='name:=value')


def _given(arguments: Sequence[str]) -> dict[str, str]:
    """Split `name:=value` arguments."""
    given = {}
    for argument in arguments:
        name, separator, value = argument.partition(':=')
        if not separator or not name:
            name, value = spelled(argument, arguments)
            said = f'such as {name}:={value}, not {argument!r}'
            raise UserError(f'arguments are written name:=value, {said}')
        if not value:
            raise UserError(f'argument {name} is empty; leave it out for its default')
        if name in given:
            raise UserError(f'argument {name} is given twice')
        given[name] = value
    return given


def _require(module: str, how: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UserError(f'{module} is not installed; {how}')


def _require_torch() -> None:
    _require('torch', 'the README says how to get a CPU or a CUDA build')


def _graph_command(options: argparse.Namespace) -> int:
    phases = graph.build(options.graph, _given(options.arguments))
    _require_torch()
    _require('rclpy', 'source a ROS 2 installation or use ./run, or train without ROS: learn')
    return starter.run(phases)


def _learn(options: argparse.Namespace) -> int:
    from neuron_reach.common.options import fill
    from neuron_reach.learning.setup import Setup

    values = read_arguments(_given(options.arguments))
    setup = Setup.from_values(values, 'arguments')
    run = fill(RunOptions, values, 'arguments')
    _require_torch()
    run_dir = graph.run_folder(setup, run)
    graph.check_folder(run_dir)

    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.workflows.train import run_training

    with ProgressBars() as bars:

        def saved(checkpoint: Path) -> None:
            bars.close()
            print(f'saved {checkpoint}')

        run_training(
            setup,
            run_dir,
            run,
            gazebo=run.gazebo if run.backend == 'gazebo' else None,
            progress=bars,
            saved=saved,
        )
    return _info(argparse.Namespace(path=run_dir, namespace=None))


def _info(options: argparse.Namespace) -> int:
    from neuron_reach.workflows.info import describe_path

    print(describe_path(options.path, options.namespace))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
