"""The error for invalid user input, and how messages are printed."""

import sys


def printable(text: str) -> str:
    """Return a text, perhaps from an untrusted file, without control characters for terminals."""
    return ''.join(
        letter if letter.isprintable() else letter.encode('unicode_escape').decode()
        for letter in text
    )


def warn(line: str) -> None:
    """Print a warning to stderr."""
    print(f'neuron_reach: warning: {printable(line)}', file=sys.stderr)


class UserError(ValueError):
    """Invalid user input; the message is one line that names the problem and what is allowed.

    Every command and node prints the message without a traceback and exits with code 2. Raised for
    what people write: files, options, names. Arrays whose shapes do not fit are a plain ValueError.
    """


class SpoiledError(UserError):
    """Another node interfered: data learned or recorded since the last check must be discarded."""
