# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Jobs: named pure functions whose results are stored under the address of their inputs.

A job is a function and its arguments, which may be results of other jobs. Its address is a hash of
the function's name and version, its arguments and the addresses of the jobs among them. All studies
therefore find a result that was computed once. The revision of the code is not part of the address:
whoever changes what a function computes must change its version.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import hashlib
import importlib
import inspect
import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic

from neuron_reach.errors import UserError
from neuron_reach.study.engine.results import (
    AnyResult,
    Files,
    JobResult,
    StoredResult,
    Values,
    write_files,
)

REFERENCE = '$job'
"""In the JSON of arguments, `{REFERENCE: address}` stands for the result of another job."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h): when freed memory is returned to the system."""


@dataclasses.dataclass(frozen=True)
class Function(Generic[Values]):
    """A pure function that jobs run.

    It is called with keyword arguments as they come out of JSON, with jobs replaced by their
    `StoredResult`, and returns a `JobResult`; the same arguments give the same result, on any
    executor. Workers find it by the name of its module, so it must be defined at the top of one.

    Attributes:
        name: part of the address; unique, and unchanged when the code moves.
        version: part of the address; changes with what is computed.
        call: the function itself.
        seconds: estimates its CPU seconds from the same arguments (jobs stay jobs).
        returns: type of the JSON part of its result, a TypedDict; None: any object.
    """

    name: str
    version: int
    call: Callable[..., JobResult[Values]]
    seconds: Callable[..., float]
    returns: type[Values] | None = None

    def job(self, label: str, /, **arguments: object) -> Job[Values]:
        """Return the job of calling the function with these arguments; `label` is for people.

        Raises:
            TypeError, ValueError: the function takes no such arguments, or they are not JSON.
        """
        bound = inspect.signature(self.call).bind(**arguments)
        bound.apply_defaults()
        return Job(self, label, bound.arguments)


def function(
    name: str,
    *,
    version: int,
    seconds: Callable[..., float],
    returns: type[Values] | None = None,
) -> Callable[[Callable[..., JobResult[Values]]], Function[Values]]:
    """Decorate a function for jobs, see `Function`."""
    return lambda call: Function(name, version, call, seconds, returns)


class Job(Generic[Values]):
    """A call of a function, with a result at an address.

    Attributes:
        function: what is called.
        label: its name for people; not part of the address.
        arguments: all arguments by name, defaults included.
        text: the arguments as canonical JSON.
        inputs: the jobs among the arguments, in the order of first appearance.
        address: 40 hexadecimal digits.
    """

    def __init__(
        self, function: Function[Values], label: str, arguments: Mapping[str, Any]
    ) -> None:
        inputs: dict[str, AnyJob] = {}

        def refer(value: object) -> dict[str, str]:
            if not isinstance(value, Job):
                raise TypeError(f'{function.name}: {value!r} is neither JSON nor a job')
            inputs[value.address] = value
            return {REFERENCE: value.address}

        self.function = function
        self.label = label
        self.arguments = dict(arguments)
        self.text = json.dumps(self.arguments, sort_keys=True, allow_nan=False, default=refer)
        self.inputs = list(inputs.values())
        identity = json.dumps([function.name, function.version, self.text])
        self.address = hashlib.sha256(identity.encode()).hexdigest()[:40]

    @property
    def seconds(self) -> float:
        """Estimated CPU seconds."""
        return self.function.seconds(**self.arguments)

    def call(self, inputs: Mapping[str, Path | Files]) -> Call:
        """Return the data that a worker needs for this job.

        Args:
            inputs: by address, the result folders of `self.inputs`, or their files for a worker
                that cannot read them.
        """
        module, name = self.function.call.__module__, self.function.call.__name__
        return Call(module, name, self.function.version, self.text, inputs)


AnyJob = Job[Mapping[str, object]]
"""A job of any function."""


def with_inputs(jobs: Iterable[AnyJob]) -> Iterator[AnyJob]:
    """Yield jobs and all that they depend on once each, inputs before jobs that need them."""
    seen: set[str] = set()

    def visit(job: AnyJob) -> Iterator[AnyJob]:
        if job.address not in seen:
            seen.add(job.address)
            for needed in job.inputs:
                yield from visit(needed)
            yield job

    for job in jobs:
        yield from visit(job)


@dataclasses.dataclass(frozen=True)
class Call:
    """A job as it is sent to a worker: plain data, see `Job.call`."""

    module: str
    name: str
    version: int
    arguments: str
    inputs: Mapping[str, Path | Files]


@dataclasses.dataclass(frozen=True)
class Success:
    """A job that was done.

    Attributes:
        files: its result.
        seconds: duration, s.
        cpu_seconds: processor time, s.
        versions: of everything that affects the numbers.
    """

    files: Files
    seconds: float
    cpu_seconds: float
    versions: dict[str, str | None]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A job that failed: the reason in one line, and the traceback if there is one."""

    reason: str
    traceback: str = ''


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory, instead of requesting it from the system at every update.

    Dask starts its workers with the opposite setting, which makes learning 1.7 times slower.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'mallopt'):
        libc.mallopt(M_TRIM_THRESHOLD, 256 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)


def perform(call: Call, scratch: Path | None = None) -> Success | Failure:
    """Do a job in this process and thread; never raises an Exception.

    Args:
        call: the job.
        scratch: folder for inputs that were sent as files; None: the system's.
    """
    try:
        return _perform(call, scratch)
    except UserError as error:
        return Failure(str(error))
    except Exception as error:
        reason = traceback.format_exception_only(type(error), error)[-1].strip()
        return Failure(reason.splitlines()[0], traceback.format_exc())


def _perform(call: Call, scratch: Path | None) -> Success:
    import torch

    from neuron_reach.common.versions import versions

    found: Function[Mapping[str, object]] = getattr(importlib.import_module(call.module), call.name)
    if found.version != call.version:
        raise UserError(
            f'{found.name} has version {found.version} on this worker, but {call.version} where '
            'the study was started; install the same neuron_reach on both'
        )
    from neuron_reach.learning.kernels import use_one_core

    use_one_core()
    _keep_freed_memory()
    with contextlib.ExitStack() as stack:
        inputs: dict[str, AnyResult] = {}
        for address, source in call.inputs.items():
            if isinstance(source, dict):
                folder = tempfile.TemporaryDirectory(prefix='neuron_reach_', dir=scratch)
                files, source = source, Path(stack.enter_context(folder))
                write_files(files, source)
            inputs[address] = StoredResult(source)

        def look_up(value: dict[str, Any]) -> AnyResult | dict[str, Any]:
            return inputs[value[REFERENCE]] if value.keys() == {REFERENCE} else value

        arguments = json.loads(call.arguments, object_hook=look_up)
        stack.enter_context(torch.no_grad())
        start, cpu_start = time.perf_counter(), time.thread_time()
        files = found.call(**arguments).files()
        seconds, cpu_seconds = time.perf_counter() - start, time.thread_time() - cpu_start
    return Success(files, seconds, cpu_seconds, versions())
