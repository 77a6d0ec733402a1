"""`neuron_reach run`: run a trained network live."""

from __future__ import annotations

from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser

DETAILS = """\
One arm moves in real time until Ctrl-C, to goals drawn at random; docs/interface.md lists the
topics. The network is that of `checkpoint`, or of `run_dir` if no checkpoint is given."""
LEAVES = """\
Nothing. With record:=N, N episodes are recorded into a bag in run_dir, and the run ends."""
EXAMPLES = """
neuron_reach run checkpoint:=/tmp/x/checkpoint
neuron_reach run checkpoint:=/tmp/x/checkpoint record:=20 run_dir:=/tmp/live
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    return graphs.add_command(commands, 'run', DETAILS, LEAVES, EXAMPLES)
