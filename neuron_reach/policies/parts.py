# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The role of a network in a file, by the names of its tensors."""

from __future__ import annotations

import re

_WORDS = {
    'other': 'cov log logp logprob logstd old prob sigma std target targets var',
    'q': 'q qnet qnetwork',
    'value': 'baseline critic critics qf value values vf',
    'policy': 'action actions actor logits mean mu pi policy',
}
"""Words in the names of each role; the first role with one of them counts."""

PART_ORDER = ('policy', 'q', None, 'value')
"""Roles in the order in which a network is chosen; None: the role is unknown."""


def words(name: str) -> list[str]:
    """Return the words of a name in lower case, without numbers."""
    return re.findall('[a-z]+', re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).lower())


def role(name: str) -> str | None:
    """Return what a name says that something is for.

    Returns:
        `policy`, `q` for the values of all actions, `value`, `other` for standard deviations,
        target networks and the like, None if the name does not say.
    """
    found = set(words(name))
    return next((each for each, some in _WORDS.items() if found & set(some.split())), None)


def role_of_path(name: str) -> str | None:
    """Return what the dotted name of a module says that it is for; its last words count most."""
    found: str | None = None
    for part in name.split('.'):
        if {'actor', 'critic'} <= set(words(part)):
            continue  # a container of both
        known = role(part)
        if known == 'other':
            return known
        found = known or found
    return found
