# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach prune CHECKPOINT`: merge neurons that do the same, once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from neuron_reach.analysis.options import SAMPLE_EPISODES, PruningOptions, ReductionOptions
from neuron_reach.commands.flags import (
    Adder,
    Parser,
    add_command,
    add_flags,
    add_namespace,
    add_output,
    import_from_here,
    path,
    read_flags,
    whole,
)
from neuron_reach.errors import UserError, printable

if TYPE_CHECKING:
    from neuron_reach.records.networks import Network
    from neuron_reach.workflows.prune import PruningResults

SUMMARY = 'Prune a trained network once: merge neurons with the same activity.'
DETAILS = """\
The activity is that of sample episodes: of a bag of the same network (--bag), or, without one,
played in this process; these are the episodes that `record` would record. The pruned network can be
retrained; prune-train does both, several times.

CHECKPOINT may be a policy of another library as well: a file or folder that nr.load reads. Its
episodes are those of --bag, or played in --env, or of a bag beside it. With --env it is tested
before and after."""
LEAVES = """\
In DIR: the pruned network (pruned, a checkpoint or policy), pruning.json, a table of the neurons
(neurons.csv), and figures."""
EXAMPLES = """
neuron_reach prune runs/joints3_seed0 --bag runs/joints3_seed0/bag -o pruned
neuron_reach prune runs/joints3_seed0/checkpoint --tau 0.3 -o pruned
neuron_reach prune policy.zip --bag recorded --tau 0.2 -o pruned
neuron_reach prune policy.zip --env LunarLander-v3 -o pruned
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands, 'prune', SUMMARY, _prune, DETAILS, leaves=LEAVES, examples=EXAMPLES
    )
    files = parser.add_argument_group('input and output')
    add_network(files)
    files.add_argument(
        '--bag', type=path, help='recorded sample episodes of CHECKPOINT; a bag or its folder'
    )
    files.add_argument(
        '--env',
        metavar='ENV_ID',
        help='environment of a policy of another library, played before and after',
    )
    add_namespace(files)
    parser.set_defaults(episodes=None)
    add_flags(parser.add_argument_group('clustering and merging'), PruningOptions)
    add_flags(parser.add_argument_group('measuring'), ReductionOptions, ['samples'])
    return parser


def add_network(files: Adder) -> None:
    """Add the network to prune, the folder of the results, and the number of sample episodes."""
    files.add_argument(
        'checkpoint',
        type=path,
        metavar='CHECKPOINT',
        help='checkpoint, or a folder with one network; for prune also a policy',
    )
    add_output(files)
    files.add_argument(
        '--episodes',
        type=whole,
        default=SAMPLE_EPISODES,
        metavar='N',
        help=f'sample episodes whose activity is clustered (default: {SAMPLE_EPISODES})',
    )


def check_episodes(options: argparse.Namespace) -> None:
    """Raise UserError if there are no sample episodes."""
    if options.episodes is not None and options.episodes < 1:
        raise UserError(f'--episodes must be at least 1, not {options.episodes}')


def _prune(options: argparse.Namespace) -> int:
    pruning = read_flags(PruningOptions, options)
    samples = read_flags(ReductionOptions, options).samples
    check_episodes(options)
    from neuron_reach.common.lookup import find_bag
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.records.networks import load_network, network_at
    from neuron_reach.workflows.prune import run_pruning

    network = network_at(options.checkpoint)
    if network is not None and network.policy is not None:
        return _prune_policy(network, options, pruning)
    if options.env is not None:
        raise UserError('--env is for policies of other libraries; this network is tested anyway')
    checkpoint = load_network(options.checkpoint)
    with ProgressBars() as bars:
        results = run_pruning(
            checkpoint,
            options.output,
            pruning,
            samples=samples,
            progress=bars,
            episodes=options.episodes,
            bag=None if options.bag is None else find_bag(options.bag),
            namespace=options.namespace,
        )
    print('\n'.join([*map(printable, results.notes), describe_pruning(results)]))
    print(f'results: {options.output}')
    return 0


def _prune_policy(network: Network, options: argparse.Namespace, pruning: PruningOptions) -> int:
    import_from_here()
    from neuron_reach.common.lookup import find_bag
    from neuron_reach.common.progress import ProgressBars
    from neuron_reach.workflows.info_results import describe_pruning as describe_results
    from neuron_reach.workflows.prune_policy import run_policy_pruning

    with ProgressBars() as bars:
        results = run_policy_pruning(
            network,
            options.output,
            pruning,
            progress=bars,
            episodes=options.episodes,
            bag=None if options.bag is None else find_bag(options.bag),
            env=options.env,
            namespace=options.namespace,
        )
    print('\n'.join([*map(printable, results.notes), describe_results(options.output)]))
    print(f'results: {options.output}')
    return 0


def describe_pruning(results: PruningResults) -> str:
    """Return the results in lines for a terminal."""
    before, after = results.hidden_before, results.hidden
    initial, (low, high) = results.initial_accuracy, results.accuracy.interval_95
    return '\n'.join(
        (
            f'hidden neurons: {sum(before)} ({" ".join(map(str, before))}), '
            f'{sum(results.dead)} of them never active',
            f'pruned to:      {sum(after)} ({" ".join(map(str, after))})',
            f'accuracy of the pruned network: {results.accuracy.value:.1%} '
            f'(95 % interval {low:.1%} to {high:.1%})',
            f'initial accuracy over {initial.samples} samples of episodes: mean '
            f'{initial.mean:.1%}, from {initial.minimum:.1%} to {initial.maximum:.1%}',
        )
    )
