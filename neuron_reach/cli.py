# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The command line, `neuron_reach COMMAND`: the commands, and exit codes for errors."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence

from neuron_reach.commands import (
    analyze,
    export,
    film,
    gazebo,
    info,
    inspect,
    map,
    old_names,
    prune,
    prune_train,
    record,
    recording,
    reproduce,
    run,
    train,
)
from neuron_reach.commands.flags import Parser, add_commands
from neuron_reach.commands.help_text import Formatter, indented, paragraphs
from neuron_reach.common.processes import INTERRUPTED
from neuron_reach.common.versions import __version__
from neuron_reach.errors import UserError, printable

DESCRIPTION = """\
Look inside the networks that move robots: a planar arm learns to reach, the activity of every
neuron is recorded, and the network is analyzed, pruned and mapped."""
GROUPS = {
    'train and record': (train.add, record.add),
    'look inside': (
        *(info.add, analyze.add, prune.add, prune_train.add, map.add, film.add),
        export.add,
    ),
    'robot': (run.add, inspect.add, gazebo.add),
    'paper': (reproduce.add,),
}
"""The commands by the work that they do."""
EXAMPLES = """
neuron_reach train                       train over ROS, record 300 episodes
neuron_reach train --no-ros joints:=4    train in one process, without ROS
neuron_reach info runs/joints3_seed0     show what a run left behind
neuron_reach analyze runs/joints3_seed0 -o analysis
neuron_reach train --help                list all arguments of a command
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for invalid input, 130 after Ctrl-C."""
    # A shell starts background jobs with SIGINT ignored; `kill -INT` must end those as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A path may contain bytes that the terminal's encoding lacks; printing it must not fail.
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
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        sys.stderr.close()
        return 0


def _parser() -> Parser:
    parser = Parser(
        prog='neuron_reach',
        description=paragraphs(DESCRIPTION),
        epilog=indented('examples', EXAMPLES),
        formatter_class=Formatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = add_commands(parser, GROUPS)
    old_names.add(commands)
    recording.add(commands)
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
