"""The one error that is the user's to mend."""


class UserError(Exception):
    """Bad input; its message is one line that names what is wrong and what is allowed.

    Every entry point prints the message without a traceback and exits with code 2.
    """


class SpoiledError(UserError):
    """Others interfered; what was learned or recorded since the last check must not be kept."""
