"""Options dataclasses as flags of a command: one place for default, meaning and range."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from neuron_reach.common.options import allowed, fill, meant, user_path

T = TypeVar('T')

SAMPLE_EPISODES = 300
"""Played or recorded where the user names no number."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and how a word should be written."""

    arguments: Collection[str] = ()
    """Names of the arguments that are written name:=value, if the command takes such."""

    def error(self, message: str) -> NoReturn:
        """Print a line and exit with code 2."""
        if message.endswith('expected one argument'):
            message += '; one that begins with a dash is joined to the flag: --flag=-x'
        self.exit(2, f'{self.prog}: error: {message}; see {self.prog} --help\n')

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse whatever is left over, by the command whose it is."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._hint(unknown[0], args or []))
        return options, unknown

    def _hint(self, word: str, words: Sequence[str]) -> str:
        name, value = spelled(word, words)
        if self.arguments:
            if name in self.arguments or meant(name, self.arguments):
                return f'arguments are written name:=value, such as {name}:={value}, not {word}'
            return f'there is no flag {word}; arguments are written name:=value'
        if ':=' in word:
            return f'flags are written --{name} {value}, not {word}'
        if not word.startswith('-'):
            return f'unexpected {word!r}'
        flags = [flag.lstrip('-').replace('-', '_') for flag in self._option_string_actions]
        return f'unknown flag {word}{meant(name, flags)}'


def spelled(word: str, words: Sequence[str]) -> tuple[str, str]:
    """Return the name and the value that a word of a command line was to give.

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


def whole(text: str) -> int:
    """Read a whole number; for argparse's `type`."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a whole number, not {text!r}') from None


def number(text: str) -> float:
    """Read a number; for argparse's `type`."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a number, not {text!r}') from None


def add_command(
    commands: Any,
    name: str,
    description: str,
    function: Callable[[argparse.Namespace], int],
    epilog: str | None = None,
) -> Parser:
    """Add a sub-command whose texts stand as they are written.

    Args:
        commands: what `add_subparsers` returned.
        name: of the sub-command.
        description: in one line.
        function: is called with the options and returns the exit code.
        epilog: such as examples.
    """
    command: Parser = commands.add_parser(
        name,
        help=description,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=function)
    return command


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Add the flag that chooses one of several robots in a bag."""
    parser.add_argument(
        '--namespace', help='of the topics, needed only where a bag holds several robots'
    )


def add_flags(
    parser: argparse.ArgumentParser, cls: type[Any], only: Sequence[str] | None = None
) -> None:
    """Add a flag for each field of an options dataclass, or for some.

    Args:
        parser: of the command.
        cls: the options.
        only: names of fields.
    """
    for field in dataclasses.fields(cls):
        if only is not None and field.name not in only:
            continue
        meaning = f'{field.metadata["description"]} ({allowed(field)}, default {field.default})'
        parser.add_argument(
            f'--{field.name.replace("_", "-")}',
            dest=field.name,
            metavar=field.name.rpartition('_')[2].upper(),
            help=meaning.replace('%', '%%'),
        )


def read_flags(cls: type[T], options: argparse.Namespace) -> T:
    """Return the options that were given as flags; the others have their defaults.

    Raises:
        UserError: a value is of the wrong kind or out of range; names it.
    """
    given = {key: value for key, value in vars(options).items() if value is not None}
    return fill(cls, given, 'arguments')
