"""Options dataclasses as flags of a command: one place for default, meaning and range."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from neuron_reach.options import allowed, fill

T = TypeVar('T')


def add_command(
    commands: Any,
    name: str,
    description: str,
    function: Callable[[argparse.Namespace], int],
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    """Add a sub-command whose texts stand as they are written.

    Args:
        commands: what `add_subparsers` returned.
        name: of the sub-command.
        description: in one line.
        function: is called with the options and returns the exit code.
        epilog: such as examples.
    """
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=description,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=function)
    return command


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
