# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Describe in words policies that other libraries trained: files of theirs and folders of ours."""

from __future__ import annotations

from pathlib import Path

from neuron_reach.errors import UserError
from neuron_reach.networks.functions import names
from neuron_reach.policies.actions import KINDS
from neuron_reach.policies.formats import format_of
from neuron_reach.policies.loading import load
from neuron_reach.policies.policy import Policy
from neuron_reach.policies.torch_file import SILENT_FORMATS, chains_in
from neuron_reach.workflows.info_results import Lines, in_short, layout, written


def describe_policy(path: Path) -> str:
    """Describe the policy in a file or a folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        policy = load(path)
    except UserError:
        if path.is_dir() or format_of(path) not in SILENT_FORMATS:
            raise
        return _describe_chains(path)
    return layout(_lines(path, policy))


def _lines(path: Path, policy: Policy) -> Lines:
    sizes, network = policy.sizes, policy.network
    steps = [names(layer.steps) for layer in network.layers]
    lines = [
        ('Policy', f'{path}: written {written(path)}'),
        *_origin(policy),
        ('Layers', f'{sizes[0]} | {in_short(list(sizes[1:-1])) or "-"} | {sizes[-1]}'),
        ('Functions', f'{", ".join(steps[:-1]) or "no hidden layers"} | {steps[-1]}'),
    ]
    if network.preparation:
        lines.append(('Inputs', f'pass {names(network.preparation)} first'))
    if policy.observation_keys:
        lines.append(('Keys', f'of observations: {", ".join(policy.observation_keys)}'))
    lines.append(('Actions', _actions(policy)))
    lines.append(('Next', f'neuron_reach record {path} --env ENV_ID -o DIR'))
    return lines


def _origin(policy: Policy) -> Lines:
    origin = getattr(policy, 'origin', None)
    if origin is None:
        return []
    known = [origin.format or 'unknown', origin.algorithm, origin.library, f'part {origin.part}']
    lines = [('From', ', '.join(dict.fromkeys(filter(None, known))))]
    return [*lines, ('File', origin.path)] if origin.path else lines


def _actions(policy: Policy) -> str:
    actions = policy.actions
    if actions.kind is None:
        return 'unknown; taken to be the outputs'
    text = KINDS[actions.kind]
    if actions.low is None or actions.high is None:
        return text
    bounds = sorted(set(zip(actions.low, actions.high, strict=True)))
    shown = ', '.join(f'{low:g}..{high:g}' for low, high in bounds[:3])
    return f'{text}: {shown}{" and others" if len(bounds) > 3 else ""}'


def _describe_chains(path: Path) -> str:
    """Describe a file that does not say its functions, or which of its networks is the policy."""
    chains = chains_in(path)
    lines = [
        ('Policy', f'{path}: written {written(path)}'),
        ('From', format_of(path)),
        *(('Network', str(chain)) for chain in chains),
        ('Functions', 'not in the file; name that of hidden layers by activation'),
        ('Next', f'neuron_reach export {path} FILE --activation NAME'),
    ]
    return layout(lines)
