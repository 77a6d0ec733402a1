# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Old names of commands, which keep working with their old arguments and print the new name."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from neuron_reach.commands import graphs, train
from neuron_reach.commands.flags import add_command


def add(commands: Any) -> None:
    """Add the commands, which the help does not list."""
    learn = add_command(commands, 'learn', 'Old name of train --no-ros.', _learn)
    graphs.add_arguments(learn, 'train')
    reduce = add_command(commands, 'reduce', 'Old name of prune-train --ros.', _reduce)
    graphs.add_arguments(reduce, 'prune-train')


def _learn(options: argparse.Namespace) -> int:
    training = train.checked(graphs.given(options.arguments))
    _notify('learn', 'train --no-ros')
    return train.run(training)


def _reduce(options: argparse.Namespace) -> int:
    phases = graphs.phases('prune-train', graphs.given(options.arguments))
    _notify('reduce', 'prune-train --ros')
    return graphs.run(phases)


def _notify(old: str, new: str) -> None:
    print(f'{old} is now: {new}', file=sys.stderr)
