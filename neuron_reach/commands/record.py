"""`neuron_reach record`: record sample episodes of a trained network into a bag."""

from __future__ import annotations

from typing import Any

from neuron_reach.commands import graphs
from neuron_reach.commands.flags import Parser

DETAILS = """\
The network is that of `checkpoint`, or of `run_dir` if no checkpoint is given. The options it was
trained with apply unless you give others."""
LEAVES = """\
A bag in run_dir (by default beside the checkpoint), for analyze, prune, map and any other reader
of bags. A bag that is there already is never overwritten."""
EXAMPLES = """
neuron_reach record checkpoint:=/tmp/x run_dir:=y
neuron_reach record checkpoint:=/tmp/x record:=20 backend:=gazebo run_dir:=z
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    return graphs.add_command(commands, 'record', DETAILS, LEAVES, EXAMPLES)
