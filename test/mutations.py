# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Damage to files, as disks and cables do it."""

import random


def _place(chance, content, longest=200):
    """A part of the content, as begin and end."""
    begin = chance.randrange(len(content))
    return begin, min(len(content), begin + chance.randint(1, longest))


def _flip(chance, content):
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance, content):
    return content[: chance.randrange(len(content))]


def _zero(chance, content):
    begin, end = _place(chance, content)
    return content[:begin] + bytes(end - begin) + content[end:]


def _swap(chance, content):
    (a, b), (c, d) = sorted(_place(chance, content) for _ in range(2))
    b = min(b, c)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _double(chance, content):
    begin, end = _place(chance, content)
    return content[:end] + content[begin:end] + content[end:]


def _remove(chance, content):
    begin, end = _place(chance, content)
    return content[:begin] + content[end:]


def mutations(content, count, seed=0):
    """So many different contents, none of them the given one."""
    chance = random.Random(seed)
    kinds = (_flip, _cut, _zero, _swap, _double, _remove)
    found = {content}
    while len(found) <= count:
        changed = kinds[len(found) % len(kinds)](chance, content)
        if changed not in found:
            found.add(changed)
            yield changed
