"""The one error that is the user's to mend, and how it is told in one line."""

import sys


def printable(text: str) -> str:
    """Return a text, perhaps of a stranger's file, as a line that leaves the terminal as it is."""
    return ''.join(
        letter if letter.isprintable() else letter.encode('unicode_escape').decode()
        for letter in text
    )


def warn(line: str) -> None:
    """Tell of something that the user should know, and that stops nothing."""
    print(f'neuron_reach: warning: {printable(line)}', file=sys.stderr)


class UserError(Exception):
    """Bad input; its message is one line that names what is wrong and what is allowed.

    Every entry point prints the message without a traceback and exits with code 2.
    """


class SpoiledError(UserError):
    """Others interfered; what was learned or recorded since the last check must not be kept."""
