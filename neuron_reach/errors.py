# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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
