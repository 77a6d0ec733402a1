# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach train`: train an arm over ROS topics, or in this process."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser, add_command, add_ros
from neuron_reach.common.options import fill
from neuron_reach.launching import graph
from neuron_reach.launching.arguments import DESCRIPTIONS, RunOptions, read_arguments
from neuron_reach.learning.setup import Setup

DETAILS = """\
Training stops when the validation test is passed and confirmed. The same command resumes a run that
was stopped. With --no-ros everything happens in this process and nothing is recorded; the network
is the same, to the bit."""
LEAVES = """\
In run_dir: the trained network (checkpoint), the state for resuming (checkpoints) and, over ROS,
the recorded sample episodes (bag)."""
EXAMPLES = """
neuron_reach train
neuron_reach train joints:=2 hidden:=32 run_dir:=/tmp/x
neuron_reach train --no-ros joints:=4 seed:=1
neuron_reach train backend:=gazebo joints:=2 arms:=20
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands, 'train', DESCRIPTIONS['train'], _train, DETAILS, leaves=LEAVES, examples=EXAMPLES
    )
    graphs.add_arguments(parser, 'train')
    add_ros(parser, default=True)
    return parser


def _train(options: argparse.Namespace) -> int:
    values = graphs.given(options.arguments)
    if options.ros:
        return graphs.run(graphs.phases('train', values))
    return run(checked(values))


def checked(arguments: Mapping[str, str]) -> tuple[Setup, RunOptions, Path]:
    """Return the options of a training in this process, and its run folder.

    Raises:
        UserError: an argument is wrong, the folder is taken, or PyTorch is missing.
    """
    values = read_arguments(arguments)
    setup = Setup.from_values(values, 'arguments')
    options = fill(RunOptions, values, 'arguments')
    graphs.require_torch()
    run_dir = graph.run_folder(setup, options)
    graph.check_folder(run_dir)
    return setup, options, run_dir


def run(training: tuple[Setup, RunOptions, Path]) -> int:
    """Train in this process, measure the accuracy, and describe the run folder."""
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.workflows.info import describe_path
    from neuron_reach.workflows.train import run_training

    setup, options, run_dir = training
    with ProgressBars() as bars:

        def saved(checkpoint: Path) -> None:
            bars.close()
            print(f'saved {checkpoint}')

        run_training(
            setup,
            run_dir,
            options,
            gazebo=options.gazebo if options.backend == 'gazebo' else None,
            progress=bars,
            saved=saved,
        )
    print(describe_path(run_dir))
    return 0
