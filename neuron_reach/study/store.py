"""The folder of results: `<root>/<first two digits>/<address>/`, each written as a whole or not."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from neuron_reach.errors import UserError
from neuron_reach.files import atomic_folder, lock_folder, write_text
from neuron_reach.study.jobs import (
    Failure,
    Job,
    StoredResult,
    Success,
    read_json,
    write_files,
)

RECORD = 'record.json'


class Store:
    """Results by address, with a record of how each came about (`record.json`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def lock(self) -> None:
        """Keep the folder for this process until it ends.

        Raises:
            UserError: another process has it, or it cannot be written to.
        """
        self._lock = lock_folder(self.root, 'study')

    def folder(self, job: Job) -> Path:
        """Return where the result of a job is, or will be."""
        return self.root / job.address[:2] / job.address

    def has(self, job: Job) -> bool:
        """Say whether the job is done."""
        return (self.folder(job) / RECORD).exists()

    def load(self, job: Job) -> StoredResult:
        """Return the result of a job that is done."""
        return StoredResult(self.folder(job))

    def record(self, job: Job) -> dict[str, Any]:
        """Return how a result came about: job, seconds, cpu_seconds, versions, finished.

        Raises:
            UserError: the record is damaged.
        """
        record: dict[str, Any] = read_json(self.folder(job) / RECORD)
        return record

    def save(self, job: Job, outcome: Success) -> None:
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
        }
        try:
            with atomic_folder(self.folder(job)) as folder:
                write_files(outcome.files, folder)
                (folder / RECORD).write_text(json.dumps(record, indent=1), encoding='utf-8')
            self.error_file(job).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f'{self.folder(job)}: cannot be written: {error}') from None

    def save_failure(self, job: Job, failure: Failure) -> None:
        """Keep why a job failed; UserError if the place cannot be written to."""
        path = self.error_file(job)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, f'{job.label}\n{failure.reason}\n\n{failure.traceback}')
        except OSError as error:
            raise UserError(f'{path}: cannot be written: {error}') from None

    def error_file(self, job: Job) -> Path:
        """Return where it is told why a job failed."""
        return self.folder(job).with_suffix('.error.txt')
