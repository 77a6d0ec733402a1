# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Options dataclasses as flags of a command: one place for default, meaning and range."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from neuron_reach.commands import help_text
from neuron_reach.common.dataclass_types import DataclassT
from neuron_reach.common.options import allowed, closest, fill, meant, user_path

Adder = argparse._ActionsContainer
"""What has `add_argument`: a command or a group of its flags; argparse names it only in private."""


HIDDEN = {'learn', 'reduce', 'recording'}
"""Commands that the help does not list: old names, and a part of other commands."""


class Parser(argparse.ArgumentParser):
    """Reports an error in one line, and shows how a word should be written.

    Attributes:
        summary: what the command does, in one line.
        arguments: names of the arguments that are written `name:=value`, if the command takes such.
    """

    summary = ''
    arguments: Collection[str] = ()

    def error(self, message: str) -> NoReturn:
        """Print a line and exit with code 2."""
        if message.endswith('expected one argument'):
            message += '; one that begins with a dash is joined to the flag: --flag=-x'
        self.exit(2, f'{self.prog}: error: {message}; see {self.prog} --help\n')

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse unknown words in the name of the command that they were given to."""
        words = list(sys.argv[1:] if args is None else args)
        if self.arguments:
            ordered = self._flags_last(words)
        else:
            ordered = words
            self._refuse_assignments(words)
        options, unknown = super().parse_known_args(ordered, namespace)
        if unknown:
            self.error(self._hint(unknown[0], words))
        return options, unknown

    def _flags_last(self, words: Sequence[str]) -> list[str]:
        """Move flags with their values to the end.

        argparse takes words before a flag, or words after it, but not both.
        """
        others: list[str] = []
        flags: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            action = self._option_string_actions.get(word.partition('=')[0])
            (others if action is None else flags).append(word)
            if action is not None and '=' not in word and action.nargs != 0:
                flags += [rest.pop(0)] if rest else []
        return [*others, *flags]

    def _refuse_assignments(self, words: Sequence[str]) -> None:
        """Refuse `tau:=0.2` and `tau=0.2` where a path could stand, unless there is such a file."""
        names = {action.dest for action in self._actions}
        for before, word in itertools.pairwise(['', *words]):
            name, value = spelled(word, words)
            flag = f'--{name.replace("_", "-")}'
            if '=' not in word or word.startswith('-') or before.startswith('-'):
                continue
            if flag in self._option_string_actions and not os.path.lexists(word):
                self.error(f'flags are written {flag} {value}, not {word}')
            if name in names and not os.path.lexists(word):
                self.error(f'{name} is given without its name: {value}, not {word}')

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among the choices; overrides argparse's longer message."""
        if action.choices is None or value in action.choices:
            return
        known = [choice for choice in action.choices if choice not in HIDDEN]
        if isinstance(action, argparse._SubParsersAction):
            raise argparse.ArgumentError(None, f'unknown command {value!r}{meant(value, known)}')
        raise argparse.ArgumentError(
            action, f'must be one of {", ".join(known)}, not {value!r}{meant(value, known)}'
        )

    def _hint(self, word: str, words: Sequence[str]) -> str:
        name, value = spelled(word, words)
        flags = {flag.lstrip('-').replace('-', '_'): flag for flag in self._option_string_actions}
        near = closest(name, flags) if word.startswith('-') else None
        if self.arguments and not (near and name not in self.arguments):
            if name not in self.arguments and closest(name, self.arguments) is None:
                return f'there is no flag {word}; arguments are written name:=value'
            example = f'such as {name}:={value}, not {word}'
            question = '' if name in self.arguments else meant(name, self.arguments)
            return f'arguments are written name:=value, {example}{question}'
        if not word.startswith('-'):
            return f'unexpected {word!r}'
        return f'unknown flag {word}' + (f' (did you mean {flags[near]}?)' if near else '')


def spelled(word: str, words: Sequence[str]) -> tuple[str, str]:
    """Return the name and the value that the user meant by a word of a command line.

    Args:
        word: such as `--joints=2`, `joints=2`, `joints:` or `--joints`.
        words: the command line; the value may be the next word.
    """
    found = re.fullmatch(r'-*([^:=]*)[:=]*(.*)', word, re.DOTALL)
    assert found is not None  # it matches everything
    name, value = found.groups()
    if not value and word in words:
        following = [next_word.lstrip(':=') for next_word in words[words.index(word) + 1 :]]
        value = next(filter(None, following), '')
    if re.match(r'-\D', value):  # another flag
        value = ''
    return name.replace('-', '_'), value or 'VALUE'


def path(text: str) -> Path:
    """Read a path that was given as an argument; for argparse's `type`."""
    try:
        return Path(user_path(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a path, not {text!r}') from None


def import_from_here() -> None:
    """Find modules in the working directory, too, such as those of a user's environments."""
    sys.path.append(str(Path.cwd()))


def whole(text: str) -> int:
    """Read a whole number; for argparse's `type`."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a whole number, not {text!r}') from None


def add_command(
    commands: Any,
    name: str,
    summary: str,
    function: Callable[[argparse.Namespace], int],
    details: str = '',
    *,
    tables: Sequence[str] = (),
    leaves: str = '',
    examples: str = '',
) -> Parser:
    """Add a sub-command and compose its help.

    Args:
        commands: what `add_subparsers` returned.
        name: of the sub-command.
        summary: what it does, in one line.
        function: is called with the options and returns the exit code.
        details: paragraphs below the summary.
        tables: more texts after the flags, such as those of `help_text.table`.
        leaves: what the command leaves behind, and where.
        examples: lines of a shell.
    """
    texts = [*tables]
    if leaves:
        texts.append(help_text.indented('leaves behind', help_text.paragraphs(leaves, 2)))
    if examples:
        texts.append(help_text.indented('examples', examples))
    command: Parser = commands.add_parser(
        name,
        description=help_text.paragraphs(f'{summary}\n\n{details}'.strip()),
        epilog='\n\n'.join(texts),
        formatter_class=help_text.Formatter,
    )
    command.summary = summary
    command.set_defaults(command=function)
    return command


def add_commands(parser: Parser, groups: Mapping[str, Sequence[Callable[[Any], Parser]]]) -> Any:
    """Add sub-commands, and list them in the help under headings.

    Args:
        parser: of the command line, or of a command that has commands of its own.
        groups: for each heading, the functions that add the commands.

    Returns:
        What further commands, not to be listed, can be added to.
    """
    parser.usage = f'{parser.prog} [-h] COMMAND ...'
    commands = parser.add_subparsers(
        prog=parser.prog, metavar='COMMAND', help=argparse.SUPPRESS, required=True
    )
    tables = []
    for heading, adders in groups.items():
        added = [add(commands) for add in adders]
        rows = {command.prog.removeprefix(f'{parser.prog} '): command.summary for command in added}
        tables.append(help_text.table(heading, rows))
    parser.epilog = '\n\n'.join([*tables, parser.epilog or ''])
    return commands


def add_ros(parser: Adder, *, default: bool) -> None:
    """Add the flag that chooses between ROS topics and this process."""
    chosen = 'over ROS topics' if default else 'in this process'
    parser.add_argument(
        '--ros',
        action=argparse.BooleanOptionalAction,
        help=f'work over ROS topics, or in this process without ROS (default: {chosen})',
    )
    parser.set_defaults(ros=default)


def add_output(parser: Adder) -> None:
    """Add the folder of the results."""
    parser.add_argument(
        '-o', '--output', type=path, required=True, metavar='DIR', help='folder of the results'
    )


def add_namespace(parser: Adder) -> None:
    """Add the flag that chooses one of several robots in a bag."""
    parser.add_argument(
        '--namespace',
        metavar='NS',
        help='namespace of the topics; needed only if a bag holds several robots',
    )


def add_reading(parser: Adder) -> None:
    """Add the flags that say how a file of another library is read."""
    parser.add_argument(
        '--part',
        metavar='NAME',
        help='which network of a file: value, critic, or a name; default: the policy',
    )
    parser.add_argument(
        '--activation',
        metavar='NAME',
        help='function of the hidden layers, for files that do not say it, such as elu',
    )


def add_flags(parser: Adder, cls: type[Any], only: Sequence[str] | None = None) -> None:
    """Add a flag for each field of an options dataclass, or for some.

    Args:
        parser: the command, or a group of its flags.
        cls: the options.
        only: names of fields.
    """
    for field in dataclasses.fields(cls):
        if only is not None and field.name not in only:
            continue
        default = field.default
        if isinstance(default, tuple):
            default = ' '.join(map(str, default))
        said = '' if default in ('', None) else f', default {default}'
        meaning = f'{field.metadata["description"]} ({allowed(field)}{said})'
        flag = _flag(field)
        parser.add_argument(
            flag,
            dest=field.name,
            nargs='+' if field.metadata['item'] else None,
            metavar=flag.rpartition('-')[2].upper(),
            help=meaning.replace('%', '%%'),
        )


def _flag(field: dataclasses.Field[Any]) -> str:
    return f'--{field.metadata["flag"] or field.name.replace("_", "-")}'


def read_flags(cls: type[DataclassT], options: argparse.Namespace) -> DataclassT:
    """Return the options that were given as flags; the others have their defaults.

    Raises:
        UserError: a value is of the wrong kind or out of range; names it.
    """
    given = {key: value for key, value in vars(options).items() if value is not None}
    return fill(cls, given, 'arguments', _flag)
