# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach prune-train CHECKPOINT`: prune and retrain, several times."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.options import PruningOptions, ReductionOptions
from neuron_reach.commands import graphs, prune_train_env
from neuron_reach.commands.flags import Parser, add_command, add_flags, add_ros, read_flags
from neuron_reach.commands.prune import add_network, check_episodes
from neuron_reach.common.lookup import find_checkpoint
from neuron_reach.common.options import fill
from neuron_reach.errors import UserError
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.launching.arguments import RunOptions, argument_fields
from neuron_reach.learning.setup import SessionOptions, TrainingOptions

if TYPE_CHECKING:
    from neuron_reach.workflows.reduction_summary import ReductionSummary

SUMMARY = 'Prune a trained network, retrain it until it passes the test, several times.'
DETAILS = """\
Every step records sample episodes, clusters and merges neurons, measures the accuracy, and trains
until the validation test is passed and confirmed. The same command resumes a procedure that was
stopped. With --env, CHECKPOINT is a policy of stable-baselines3 (a zip file), which plays and is
retrained in a Gymnasium environment. With --ros, recording and training run over ROS topics, as in
the launch file prune_train.launch.py."""
LEAVES = """\
In DIR: a folder for each step (step_1, step_2, ...) with its network (checkpoint), sizes and
accuracies, and a summary of all steps (summary.json, summary.csv, a figure)."""
EXAMPLES = """
neuron_reach prune-train runs/joints3_seed0/checkpoint -o reduced
neuron_reach prune-train runs/joints3_seed0 --tau 0.2 --steps 5 -o reduced
neuron_reach prune-train runs/joints3_seed0 --ros -o reduced
neuron_reach prune-train dqn.zip --env LunarLander-v3 --until 200 -o reduced
neuron_reach prune-train sac.zip --env my_envs:My-v0 --until success -o small
"""
ROS_FLAGS = ('backend', 'storage', 'namespace', 'simulator_timeout')
GAZEBO_FLAGS = ('payload', 'gain_scale', 'physics_steps', 'gui')


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands, 'prune-train', SUMMARY, _prune_train, DETAILS, leaves=LEAVES, examples=EXAMPLES
    )
    files = parser.add_argument_group('input and output')
    add_network(files)
    files.add_argument(
        '--summary',
        action='store_true',
        help='only write and print the summary so far',
    )
    pruning = parser.add_argument_group('pruning')
    add_flags(pruning, PruningOptions)
    add_flags(pruning, ReductionOptions)
    training = parser.add_argument_group('training')
    training.add_argument(
        '--max-episodes',
        metavar='N',
        help='training episodes after which to give up a step (default: as CHECKPOINT was trained)',
    )
    add_flags(training, SessionOptions, ['test_episodes', 'checkpoint_interval'])
    prune_train_env.add_flags_of_env(parser)
    ros = parser.add_argument_group('ROS')
    add_ros(ros, default=False)
    add_flags(ros, RunOptions, ROS_FLAGS)
    add_flags(parser.add_argument_group('Gazebo, with --ros'), GazeboOptions, GAZEBO_FLAGS)
    return parser


def _over_ros(options: argparse.Namespace) -> int:
    """Start the graph of the same name with the flags as its arguments."""
    values = {
        'checkpoint': str(find_checkpoint(options.checkpoint)),
        'run_dir': str(options.output),
        'record': str(options.episodes),
    }
    for field in argument_fields('prune-train'):
        value = getattr(options, field.name, None)
        if field.name not in values and value is not None:
            values[field.name] = value
    return graphs.run(graphs.phases('prune-train', values))


def _prune_train(options: argparse.Namespace) -> int:
    pruning = read_flags(PruningOptions, options)
    reduction_options = read_flags(ReductionOptions, options)
    session = read_flags(SessionOptions, options)
    check_episodes(options)
    if options.env is not None:
        return prune_train_env.run(options)
    prune_train_env.refuse_flags_of_env(options)
    if options.ros and not options.summary:
        return _over_ros(options)
    for name in (*ROS_FLAGS, *GAZEBO_FLAGS):
        if getattr(options, name) is not None and not options.ros:
            raise UserError(f'--{name.replace("_", "-")} takes effect only with --ros')
    limit = None
    if options.max_episodes is not None:
        values = {'max_episodes': options.max_episodes}
        limit = fill(TrainingOptions, values, 'arguments').max_episodes
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.learning.kernels import use_one_core
    from neuron_reach.records.networks import load_network
    from neuron_reach.workflows.prune_train import Reduction

    use_one_core()
    checkpoint = load_network(options.checkpoint)
    reduction = Reduction(
        checkpoint, options.output, pruning, reduction_options, options.episodes, limit
    )
    if not options.summary:
        with ProgressBars() as bars:
            reduction.run(session.checkpoint_interval, session.test_episodes, bars)
    print(_table(reduction.write_summary()))
    print(f'results: {options.output}')
    return 0


def _table(summary: ReductionSummary) -> str:
    before = summary.before.hidden
    lines = [f'before: {sum(before)} hidden neurons ({" ".join(map(str, before))})']
    for entry in summary.steps:
        initial = entry.initial_accuracy
        after = entry.status.value
        if entry.training_duration is not None:
            after = f'passed after {entry.training_duration} episodes'
        if entry.trained_accuracy is not None:
            after += f', then {entry.trained_accuracy.value:.1%}'
        lines.append(
            f'step {entry.step}: {sum(entry.hidden)} ({" ".join(map(str, entry.hidden))}), '
            f'initial accuracy {initial.mean:.1%} ({initial.minimum:.1%} to {initial.maximum:.1%} '
            f'in {initial.samples} samples), {after}'
        )
    return '\n'.join(lines)
