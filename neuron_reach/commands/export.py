# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach export POLICY FILE`: write a policy for other programs."""

from __future__ import annotations

import argparse
from typing import Any

from neuron_reach.commands.flags import Parser, add_command, add_reading, path
from neuron_reach.errors import printable

SUMMARY = 'Write a policy into a file for other programs: ONNX, safetensors, C.'
DETAILS = """\
POLICY is a run folder, a checkpoint, results of prune, a zip of stable-baselines3, an ONNX file, a
state dict of PyTorch (.pt, .pth) or a safetensors file. The ending of FILE says the format: .onnx,
.safetensors, .h (a C99 header), or .zip, back into the file of stable-baselines3 that the policy
comes from."""
EXAMPLES = """
neuron_reach export runs/joints3_seed0 policy.onnx
neuron_reach export policy.zip policy.h
neuron_reach export model_1000.pt policy.onnx --activation elu
"""


def add(commands: Any) -> Parser:
    """Add the command."""
    parser = add_command(
        commands,
        'export',
        SUMMARY,
        _export,
        DETAILS,
        leaves='FILE, which replaces an existing one as a whole.',
        examples=EXAMPLES,
    )
    files = parser.add_argument_group('input and output')
    files.add_argument('policy', type=path, metavar='POLICY', help='a policy of any origin')
    files.add_argument('file', type=path, metavar='FILE', help='file to write')
    add_reading(files)
    return parser


def _export(options: argparse.Namespace) -> int:
    from neuron_reach.workflows.export import export

    policy = export(options.policy, options.file, part=options.part, activation=options.activation)
    sizes = '-'.join(map(str, policy.sizes))
    print(printable(f'{options.file}: a network of {sizes} neurons'))
    return 0
