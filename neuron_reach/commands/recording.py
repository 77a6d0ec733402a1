# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach recording`: check a bag after recording; part of a run, not for users."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import path, whole
from neuron_reach.errors import warn


def add(commands: Any) -> None:
    """Add the command, which the help does not list."""
    parser = commands.add_parser('recording')
    parser.add_argument('action', choices=('keep', 'check'))
    parser.add_argument('bag', type=path)
    parser.add_argument('checkpoint', type=path)
    parser.add_argument('episodes', type=whole)
    parser.add_argument('--info', type=path, help='run folder or bag to describe at the end')
    parser.set_defaults(command=_recording)


def _recording(options: argparse.Namespace) -> int:
    from neuron_reach.workflows.info import describe_path
    from neuron_reach.workflows.record import check, keep, remove_unfinished

    if options.action == 'check':
        check(options.bag, options.checkpoint, options.episodes)
        return 0
    summary = keep(options.bag, options.checkpoint, options.episodes)
    for other in remove_unfinished(options.bag, options.checkpoint):
        warn(f'{other}: an earlier recording that was not used; move it away or remove it')
    if options.info is not None:
        print(describe_path(options.info, summary=summary))
    return 0
