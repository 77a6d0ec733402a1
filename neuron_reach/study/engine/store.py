# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The folder of results, `<root>/<first two digits>/<address>/`, each written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from neuron_reach.common.files import atomic_folder, json_bytes, lock_folder, set_aside, write_text
from neuron_reach.common.names import FAILURE, LOCK, RECORD, beside, result_folder
from neuron_reach.errors import UserError
from neuron_reach.study.engine.jobs import AnyJob, Failure, Job, Success
from neuron_reach.study.engine.results import Record, StoredResult, Values, write_files


class Store:
    """Results by address, with a record of how each was made (`record.json`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def lock(self) -> None:
        """Lock the folder for this process until it ends.

        Raises:
            UserError: another process has it, or it cannot be written to.
        """
        self._lock = lock_folder(self.root, 'study')

    def check_place(self) -> None:
        """Raise the UserError that `lock` would, without creating anything.

        Raises:
            UserError: another process has the folder, or it cannot be written to.
        """
        if (self.root / LOCK).exists():
            lock_folder(self.root, 'study').close()
        root = self.root.absolute()
        place = next(place for place in (root, *root.parents) if os.path.lexists(place))
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise UserError(f'{self.root}: cannot be used: {place} cannot be written to')

    def folder(self, job: AnyJob) -> Path:
        """Return the folder of the result of a job, which may not exist yet."""
        return result_folder(self.root, job.address)

    def has(self, job: AnyJob) -> bool:
        """Return whether the job is done."""
        return (self.folder(job) / RECORD).exists()

    def load(self, job: Job[Values]) -> StoredResult[Values]:
        """Return the result of a job that is done."""
        return StoredResult(self.folder(job), job.function.returns)

    def load_checked(self, job: Job[Values]) -> StoredResult[Values]:
        """Return the result of a job that is done, after checking every file of it.

        Raises:
            UserError: a file is missing or damaged, or it is the result of another job.
        """
        result = self.load(job)
        record = result.record
        theirs = record['function'], record['version'], record['arguments']
        if theirs != (job.function.name, job.function.version, json.loads(job.text)):
            raise UserError(f'{result.folder / RECORD}: is of another job than {job.label!r}')
        result.check()
        return result

    def set_aside(self, job: AnyJob) -> Path:
        """Rename a damaged result, so that the job is done again; return its new name."""
        return set_aside(self.folder(job))

    def record(self, job: AnyJob) -> Record:
        """Return how a result was made: job, seconds, cpu_seconds, versions, finished.

        Raises:
            UserError: the record is damaged.
        """
        return self.load(job).record

    def save(self, job: AnyJob, outcome: Success) -> None:
        """Write a result; UserError if the place cannot be written to."""
        record = {
            'label': job.label,
            'function': job.function.name,
            'version': job.function.version,
            'arguments': json.loads(job.text),
            'seconds': outcome.seconds,
            'cpu_seconds': outcome.cpu_seconds,
            'versions': outcome.versions,
            'finished': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
            'files': {
                name: hashlib.sha256(content).hexdigest() for name, content in outcome.files.items()
            },
        }
        try:
            with atomic_folder(self.folder(job)) as folder:
                write_files(outcome.files, folder)
                (folder / RECORD).write_bytes(json_bytes(record))
            self.error_file(job).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f'{self.folder(job)}: cannot be written: {error}') from None

    def save_failure(self, job: AnyJob, failure: Failure) -> None:
        """Save why a job failed; UserError if the place cannot be written to."""
        path = self.error_file(job)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, f'{job.label}\n{failure.reason}\n\n{failure.traceback}')
        except OSError as error:
            raise UserError(f'{path}: cannot be written: {error}') from None

    def error_file(self, job: AnyJob) -> Path:
        """Return the file that says why a job failed."""
        return beside(self.folder(job), FAILURE)
