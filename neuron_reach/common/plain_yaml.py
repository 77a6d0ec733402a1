# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A safe subset of YAML for options, without values that YAML versions read differently.

YAML 1.1 reads `010` as 8, `1:30` as 90, `on` as true and `1e-3` as text, YAML 1.2 does not. Here
numbers are decimal numbers, booleans are true and false; other notations of numbers are refused,
and everything else is text. Aliases, tags and duplicate keys are refused too: options do not need
them, and they can make a small file huge or dangerous.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from neuron_reach.common.files import read_bytes
from neuron_reach.errors import UserError

LIMIT = 100_000
"""Largest size of a file, bytes; a single command-line argument has about the same limit."""

DEPTH = 20
"""Largest depth of nested lists and mappings."""

_INTEGER = re.compile(r'[-+]?(0|[1-9][0-9]*)')
_DECIMAL = re.compile(r'[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?')
_AMBIGUOUS = re.compile(r'[-+]?([0-9][0-9_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+|0o[0-7]+)')
_WORDS: dict[str, Any] = {
    **dict.fromkeys(('', '~', 'null', 'Null', 'NULL')),
    **dict.fromkeys(('true', 'True', 'TRUE'), True),
    **dict.fromkeys(('false', 'False', 'FALSE'), False),
    **dict.fromkeys(('.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'), math.inf),
    **dict.fromkeys(('-.inf', '-.Inf', '-.INF'), -math.inf),
    **dict.fromkeys(('.nan', '.NaN', '.NAN'), math.nan),
}


class PlainYamlError(ValueError):
    """A text is refused; the message is one line."""


def parse(text: str) -> Any:
    """Return the value of a YAML text; None for an empty text.

    Raises:
        PlainYamlError: it is not YAML, or contains something that is refused.
    """
    try:
        return _document(yaml.SafeLoader(text))
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem or error.context)
        if r"'\t'" in problem:
            problem = 'a tab, where YAML has spaces'
        raise _refusal(
            error.problem_mark or error.context_mark, f'is not YAML: {problem}'
        ) from None
    except yaml.YAMLError as error:  # characters that YAML does not allow
        raise PlainYamlError(f'is not YAML: {str(error).splitlines()[0]}') from None


def load(path: str | Path) -> Any:
    """Return the value of a YAML file.

    Raises:
        UserError: it is unreadable, too large, not YAML, or contains something that is refused.
    """
    path = Path(path)
    content = read_bytes(path, LIMIT)
    try:
        return parse(content.decode('utf-8-sig'))
    except UnicodeDecodeError:
        raise UserError(f'{path}: is not YAML: its text is not UTF-8') from None
    except PlainYamlError as error:
        raise UserError(f'{path}: {error}') from None


def _refusal(mark: yaml.Mark | None, problem: str) -> PlainYamlError:
    problem = ' '.join(problem.split())[:200]
    return PlainYamlError(problem if mark is None else f'line {mark.line + 1}: {problem}')


def _document(events: yaml.SafeLoader) -> Any:
    """Return the value of the only document."""
    events.get_event()  # the beginning of the stream
    if events.check_event(yaml.StreamEndEvent):
        return None
    events.get_event()
    value = _value(events, events.get_event())
    events.get_event()
    if not events.check_event(yaml.StreamEndEvent):
        mark = events.get_event().start_mark
        raise _refusal(mark, 'a second document; there must be but one')
    return value


def _value(events: yaml.SafeLoader, event: yaml.Event, key: str = '', depth: int = 0) -> Any:
    """Return the value that starts with an event; `key` is empty for the document itself."""
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _refusal(event.start_mark, f'{key}anchors (&) and aliases (*) are not allowed')
    if event.tag is not None:
        tag = event.tag.replace('tag:yaml.org,2002:', '!!')
        raise _refusal(event.start_mark, f'{key}YAML tags such as {tag} are not allowed')
    if depth > DEPTH:
        raise _refusal(event.start_mark, f'{key}nested more than {DEPTH} levels deep')
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event, key) if event.style is None else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = _until(events, yaml.SequenceEndEvent)
        return [_value(events, item, key, depth + 1) for item in items]
    mapping: dict[str, Any] = {}
    for name in _until(events, yaml.MappingEndEvent):
        if not isinstance(name, yaml.ScalarEvent) or name.anchor or name.tag:
            raise _refusal(name.start_mark, 'a key must be text')
        if name.value in mapping:
            raise _refusal(name.start_mark, f'key {name.value!r} is given twice')
        inner = f'{name.value}: '
        mapping[name.value] = _value(events, events.get_event(), inner, depth + 1)
    return mapping


def _until(events: yaml.SafeLoader, end: type[yaml.Event]) -> Iterator[yaml.Event]:
    while not isinstance(event := events.get_event(), end):
        yield event


def _scalar(event: yaml.ScalarEvent, key: str) -> Any:
    """Return the value of a text without quotes."""
    text: str = event.value
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 400:  # no float is longer
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _AMBIGUOUS.fullmatch(text):
        problem = f'{text[:40]} is one number to some readers of YAML and another to others'
        raise _refusal(event.start_mark, f'{key}{problem}; write a decimal number, or quotes')
    return text
