# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach record`: record episodes of a policy into a bag, over ROS or in this process."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neuron_reach.analysis.options import SAMPLE_EPISODES
from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser, add_reading, import_from_here, path, whole
from neuron_reach.common import plain_yaml
from neuron_reach.common.names import SUFFIXES
from neuron_reach.common.paths import PathKind, kind_of
from neuron_reach.errors import UserError, warn

DETAILS = """\
Written with name:=value, it starts the nodes: the network of `checkpoint`, or of `run_dir` if no
checkpoint is given, moves the arm over ROS topics. The options it was trained with apply unless you
give others.

Written with flags, it plays POLICY in this process: in any Gymnasium environment (--env), several
side by side, with deterministic actions; a network trained here, without --env, in the reaching
task. Episode i starts by a seed of its own, derived from --seed and i, so that the recording is the
same every time. ENV_ID may be module:ENV_ID, whose module is imported,
from the working directory as well."""
LEAVES = """\
A bag in run_dir (by default beside the checkpoint) or in DIR, for analyze, prune, map and any other
reader of bags. A bag that is there already is never overwritten. With --normalization, DIR/policy
is the policy that was played."""
EXAMPLES = """
neuron_reach record checkpoint:=/tmp/x run_dir:=y
neuron_reach record checkpoint:=/tmp/x record:=20 backend:=gazebo run_dir:=z
neuron_reach record policy.zip --env LunarLander-v3 --episodes 300 -o recorded
neuron_reach record p.onnx --env my_envs:My-v0 --normalization s.npz -o bags
neuron_reach record runs/joints3_seed0 -o recorded
"""
ONLY_PLAYED = (
    *('env', 'output', 'episodes', 'seed', 'max_steps', 'storage'),
    *('normalization', 'part', 'activation'),
)
"""Flags of recordings in this process."""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = graphs.add_command(commands, 'record', DETAILS, LEAVES, EXAMPLES)
    parser.set_defaults(command=_record)
    parser.usage = (
        '%(prog)s [-h] [name:=value ...]\n       %(prog)s POLICY [--env ENV_ID] [flags] -o DIR'
    )
    group = parser.add_argument_group('in this process (POLICY is the first word)')
    group.add_argument('--env', metavar='ENV_ID', help='a Gymnasium environment')
    group.add_argument('-o', '--output', type=path, metavar='DIR', help='folder of the bag')
    group.add_argument(
        '--episodes', type=whole, metavar='N', help=f'how many (default: {SAMPLE_EPISODES})'
    )
    group.add_argument(
        '--seed', type=whole, metavar='S', help="draws how they start (default: the policy's, or 0)"
    )
    group.add_argument(
        '--max-steps',
        type=whole,
        metavar='M',
        help="steps of the longest episode (default: the environment's time limit, or 10000)",
    )
    group.add_argument(
        '--env-kwargs',
        action='append',
        default=[],
        metavar='KEY=VALUE',
        help='argument of the environment, such as gravity=-5.0; may be repeated',
    )
    group.add_argument(
        '--normalization',
        type=path,
        metavar='FILE',
        help='.npz or YAML file with mean and var of the observations',
    )
    add_reading(group)
    group.add_argument(
        '--storage', choices=list(SUFFIXES), metavar='FORMAT', help='mcap (default) or sqlite3'
    )
    return parser


def _record(options: argparse.Namespace) -> int:
    given = [name for name in ONLY_PLAYED if getattr(options, name) is not None]
    words = options.arguments
    if not (given or options.env_kwargs):
        if len(words) == 1 and ':=' not in words[0] and path(words[0]).exists():
            if kind_of(path(words[0])) in (PathKind.POLICY, PathKind.POLICY_FILE):
                raise UserError(f'where to? record {words[0]} --env ENV_ID -o DIR plays it')
            raise UserError(
                f'where to? record {words[0]} -o DIR plays it in this process; '
                f'record checkpoint:={words[0]} over ROS'
            )
        return graphs.run(graphs.phases('record', graphs.given(words)))
    if len(words) != 1 or ':=' in words[0]:
        raise UserError(
            'with flags, record takes one POLICY and no name:=value: '
            'record POLICY --env ENV_ID -o DIR'
        )
    if options.output is None:
        raise UserError('-o DIR is missing: the folder of the bag')
    return _play(path(words[0]), options)


def _play(policy: Path, options: argparse.Namespace) -> int:
    graphs.require_torch()
    import_from_here()
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.policies.playing import PlayOptions
    from neuron_reach.workflows.info import describe_path
    from neuron_reach.workflows.play import record_played

    play = PlayOptions(
        episodes=SAMPLE_EPISODES if options.episodes is None else options.episodes,
        seed=options.seed,
        max_steps=options.max_steps,
        env_options=dict(map(_assignment, options.env_kwargs)),
    )
    with ProgressBars() as bars:
        record = record_played(
            policy,
            options.output,
            options.env,
            play,
            storage=options.storage or 'mcap',
            normalization=options.normalization,
            progress=bars,
            part=options.part,
            activation=options.activation,
        )
    for note in record.notes:
        warn(note)
    print(describe_path(options.output))
    return 0


def _assignment(word: str) -> tuple[str, Any]:
    name, separator, value = word.partition('=')
    if not separator or not name.isidentifier():
        raise UserError(f'--env-kwargs is written KEY=VALUE, not {word!r}')
    try:
        return name, plain_yaml.parse(value)
    except plain_yaml.PlainYamlError as error:
        raise UserError(f'--env-kwargs {word}: {error}') from None
