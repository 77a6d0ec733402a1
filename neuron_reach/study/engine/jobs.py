"""Jobs: named pure functions whose results are kept under the address of what they depend on.

A job is a function and its arguments, which may be results of other jobs. Its address is a hash of
the function's name and version, its arguments and the addresses of the jobs among them. What has
been computed once is therefore found again, whoever asks for it. The code's revision is not part
of the address: whoever changes what a function computes gives it another version.

Results are JSON, `.npz` arrays and checkpoint folders; nothing in them is ever executed.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import importlib
import inspect
import io
import json
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuron_reach.common.files import (
    JSON_LIMIT,
    Kind,
    check_kinds,
    damaged,
    parse_json,
    read_bytes,
    read_json,
)
from neuron_reach.common.names import ARRAYS, NETWORKS, RECORD, VALUES
from neuron_reach.errors import UserError

if TYPE_CHECKING:
    from neuron_reach.learning.checkpoint import Checkpoint
    from neuron_reach.learning.qnetwork import QNetwork

RECORD_KINDS: Kind = {
    'function': str,
    'version': int,
    'arguments': dict,
    'seconds': float,
    'cpu_seconds': float,
    'versions': dict,
}
FILE_LIMIT = 1 << 30
"""Largest file of a result, bytes."""

REFERENCE = '$job'
"""In the JSON of arguments, `{REFERENCE: address}` stands for the result of another job."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""What glibc's `mallopt` can change (malloc.h): when freed memory goes back to the system."""

Files = dict[str, bytes]
"""What a result folder holds, by paths relative to it."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a job's function returns.

    Attributes:
        values: anything that JSON can say.
        arrays: named arrays, of numbers.
        networks: named networks (stacks of one) with their metadata, see `checkpoint.describe`.
    """

    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)
    networks: Mapping[str, tuple[QNetwork, Mapping[str, Any]]] = dataclasses.field(
        default_factory=dict
    )

    def files(self) -> Files:
        """Return the result as the files that a result folder holds."""
        files = {VALUES: json.dumps(self.values, indent=1, allow_nan=False).encode()}
        if self.arrays:
            arrays: dict[str, Any] = {key: np.asarray(a) for key, a in self.arrays.items()}
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **arrays)
            files[ARRAYS] = buffer.getvalue()
        if self.networks:
            from neuron_reach.learning.checkpoint import checkpoint_files

            for key, (network, metadata) in self.networks.items():
                for name, content in checkpoint_files(network, metadata).items():
                    files[f'{NETWORKS}/{key}/{name}'] = content
        return files


class StoredResult:
    """A job's result in its folder; each part is read, and checked, when it is first asked for.

    Attributes:
        folder: holds the files of `Result.files`, and a record with their digests.
        returns: what the JSON part must hold, see `Function`.
    """

    def __init__(self, folder: Path, returns: Kind = None) -> None:
        self.folder = folder
        self.returns = returns

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """How it came about (see `Store.save`); UserError if that is damaged."""
        return read_json(self.folder / RECORD, RECORD_KINDS)

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of every file; none in results made before digests were kept."""
        if not (self.folder / RECORD).exists():  # not yet
            return {}
        digests: dict[str, str] = self.record.get('files', {})
        check_kinds(self.folder / RECORD, {'files': digests}, {'files': dict})
        return digests

    def check(self) -> None:
        """Make sure that all is there and as it was written; UserError if it is not."""
        for name in self.digests:
            self._read(name)
        _ = self.values
        if not self.digests:
            _ = self.arrays, [self.checkpoint(name) for name in self.checkpoints()]

    def _read(self, name: str, limit: int = FILE_LIMIT) -> bytes:
        path = self.folder / name
        content = read_bytes(path, limit)
        if self.digests and self.digests.get(name) != hashlib.sha256(content).hexdigest():
            raise damaged(path)
        return content

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        """The JSON part; UserError if it is damaged."""
        return parse_json(self.folder / VALUES, self._read(VALUES, JSON_LIMIT), self.returns)[0]

    @functools.cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name; UserError if they are damaged."""
        path = self.folder / ARRAYS
        if ARRAYS not in self.digests and not path.exists():
            return {}
        content = self._read(ARRAYS)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = archive.infolist()
            if sum(member.file_size for member in members) > len(content):
                raise ValueError  # ours are not compressed: nothing unpacks to more than it is
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return dict(file)
        except Exception:  # numpy, zipfile and zlib each have errors of their own
            raise UserError(f'{path}: is truncated, or not as it was written') from None

    def checkpoints(self) -> list[str]:
        """Return the names of the networks."""
        return sorted(path.name for path in (self.folder / NETWORKS).glob('*'))

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a network; UserError if it is missing or damaged."""
        from neuron_reach.learning.checkpoint import load_checkpoint

        return load_checkpoint(self.folder / NETWORKS / name)


def read_files(folder: Path) -> Files:
    """Return all files below a folder."""
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return {path.relative_to(folder).as_posix(): read_bytes(path, FILE_LIMIT) for path in paths}


def write_files(files: Files, folder: Path) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@dataclasses.dataclass(frozen=True)
class Function:
    """A pure function that jobs run.

    It is called with keyword arguments as they come out of JSON, those that are jobs replaced by
    their `StoredResult`, and returns a `Result`; the same arguments give the same result, on any
    executor. It is found in the workers by the name of its module, so it lives at the top of one.

    Attributes:
        name: part of the address; unique, and kept when the code moves.
        version: part of the address; another one for every change of what is computed.
        call: the function itself.
        seconds: estimates its CPU seconds from the same arguments (jobs stay jobs).
        returns: keys that the JSON part of its result has, and of which `Kind`.
    """

    name: str
    version: int
    call: Callable[..., Result]
    seconds: Callable[..., float]
    returns: Kind = None

    def job(self, label: str, /, **arguments: Any) -> Job:
        """Return the job of calling the function with these arguments; `label` is for people.

        Raises:
            TypeError, ValueError: the function takes no such arguments, or JSON cannot say them.
        """
        bound = inspect.signature(self.call).bind(**arguments)
        bound.apply_defaults()
        return Job(self, label, bound.arguments)


def function(
    name: str, *, version: int, seconds: Callable[..., float], returns: Kind = None
) -> Callable[[Callable[..., Result]], Function]:
    """Decorate a function to make jobs of it, see `Function`."""
    return lambda call: Function(name, version, call, seconds, returns)


class Job:
    """A call of a function, with a result at an address.

    Attributes:
        function: what is called.
        label: what people call it; no part of the address.
        arguments: all arguments by name, defaults included.
        text: the arguments as canonical JSON.
        inputs: the jobs among the arguments, in the order in which they are met.
        address: 40 hexadecimal digits.
    """

    def __init__(self, function: Function, label: str, arguments: Mapping[str, Any]) -> None:
        inputs: dict[str, Job] = {}

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
        """Return what a worker needs to do this job.

        Args:
            inputs: by address, the result folders of `self.inputs`, or what these hold for a
                worker that does not see them.
        """
        module, name = self.function.call.__module__, self.function.call.__name__
        return Call(module, name, self.function.version, self.text, inputs)


def with_inputs(jobs: Mapping[str, Job] | list[Job]) -> Iterator[Job]:
    """Yield jobs and all that they depend on once each, inputs before those who need them."""
    seen: set[str] = set()

    def visit(job: Job) -> Iterator[Job]:
        if job.address not in seen:
            seen.add(job.address)
            for needed in job.inputs:
                yield from visit(needed)
            yield job

    for job in jobs.values() if isinstance(jobs, Mapping) else jobs:
        yield from visit(job)


@dataclasses.dataclass(frozen=True)
class Call:
    """A job on its way to a worker: plain data, see `Job.call`."""

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
        seconds: how long it took.
        cpu_seconds: what it took of a processor.
        versions: of everything that has a part in the numbers.
    """

    files: Files
    seconds: float
    cpu_seconds: float
    versions: dict[str, str | None]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A job that could not be done: why in one line, and the whole traceback if there is one."""

    reason: str
    traceback: str = ''


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed, rather than get it from the system again at every update.

    Dask starts its workers with the opposite, which would make learning 1.7 times slower.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'mallopt'):
        libc.mallopt(M_TRIM_THRESHOLD, 256 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)


def perform(call: Call, scratch: Path | None = None) -> Success | Failure:
    """Do a job in this process and thread; never raises an Exception.

    Args:
        call: what to do.
        scratch: folder in which to put inputs that came as contents; the system's if None.
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

    found: Function = getattr(importlib.import_module(call.module), call.name)
    if found.version != call.version:
        raise UserError(
            f'{found.name} is of version {found.version} on this worker, of {call.version} where '
            'the study was started; install the same neuron_reach on both'
        )
    from neuron_reach.learning.kernels import use_one_core

    use_one_core()
    _keep_freed_memory()
    with contextlib.ExitStack() as stack:
        inputs: dict[str, StoredResult] = {}
        for address, source in call.inputs.items():
            if isinstance(source, dict):
                folder = tempfile.TemporaryDirectory(prefix='neuron_reach_', dir=scratch)
                files, source = source, Path(stack.enter_context(folder))
                write_files(files, source)
            inputs[address] = StoredResult(source)

        def look_up(value: dict[str, Any]) -> Any:
            return inputs[value[REFERENCE]] if value.keys() == {REFERENCE} else value

        arguments = json.loads(call.arguments, object_hook=look_up)
        stack.enter_context(torch.no_grad())
        start, cpu_start = time.perf_counter(), time.thread_time()
        files = found.call(**arguments).files()
        seconds, cpu_seconds = time.perf_counter() - start, time.thread_time() - cpu_start
    return Success(files, seconds, cpu_seconds, versions())
