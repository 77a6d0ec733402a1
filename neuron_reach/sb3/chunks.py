# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training by stable-baselines3 in chunks, each of which starts from what is on disk.

A chunk rebuilds the algorithm from the saved state, new environments and a seed of its
own. A training that is resumed therefore equals one that was never stopped. The state is the
algorithm as a zip file (parameters and optimizers, of which only tensors are read again), the
replay memory as plain arrays, and counters as JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from neuron_reach.common.arrays import AnyArray
from neuron_reach.common.names import STATE_FILE, STATE_REPLAY
from neuron_reach.common.tensors import read_tensors, tensor_bytes
from neuron_reach.errors import UserError
from neuron_reach.networks.functions import Step, apply
from neuron_reach.policies.archives import load_tensors, open_archive
from neuron_reach.policies.environments import opened
from neuron_reach.policies.sb3_file import STATE, Sb3File, read_file
from neuron_reach.sb3.rebuilding import Plain, exploration, rebuild

VARIABLES, ENTROPY = 'pytorch_variables.pth', 'log_ent_coef'
"""Member of a zip file with further parameters, and the one among them that is trained."""

LARGEST_REPLAY = 2**35
"""Largest replay memory that is read, bytes."""

_POSITION, _FULL = 'position', 'full'
"""Entries of a saved replay memory besides its arrays."""


@dataclasses.dataclass(frozen=True)
class Counters:
    """How far a training is.

    Attributes:
        steps: of the environment, all of them counted.
        updates: of the networks, as the library counts them.
        calls: steps as Q-learning counts them to update its target network.
        chunks: that are done.
    """

    steps: int = 0
    updates: int = 0
    calls: int = 0
    chunks: int = 0


@dataclasses.dataclass(frozen=True)
class Gym:
    """Where and how an algorithm trains.

    Attributes:
        env: name of the environment.
        count: environments side by side.
        values: hyperparameters.
        continued: whether the network is a trained one, which acts from the first step on; random
            actions fill the replay memory otherwise.
        total: steps of the whole training, over which exploration is planned.
        preparation: elementwise steps before the network, such as normalization.
    """

    env: str
    count: int
    values: Mapping[str, Plain]
    continued: bool
    total: int
    preparation: tuple[Step, ...] = ()


def train_chunk(
    gym: Gym,
    start: Path,
    counters: Counters,
    steps: int,
    seed: int,
    folder: Path,
    progress: Callable[[int], None],
) -> Counters:
    """Train for some steps, and write the state to a folder.

    Args:
        gym: where and how.
        start: folder of the state to start from, or a file of stable-baselines3 with networks.
        counters: of that state.
        steps: of the environment, at least; algorithms that update after a rollout of fixed size
            complete it.
        seed: of all random numbers.
        folder: is empty.
        progress: called with the steps of this chunk so far.

    Returns:
        The counters of the new state.

    Raises:
        UserError: a file is damaged, or algorithm and environment do not fit.
    """
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)  # same sums, and small matrices are faster so
    resumed = start.is_dir()
    file, members = _read(start / STATE_FILE if resumed else start)
    values = {**gym.values, **exploration(gym.values, counters.steps, steps, gym.total)}
    if 'learning_starts' in values:
        values['learning_starts'] = max(0, int(values['learning_starts'] or 0) - counters.steps)
    with opened(gym.env, gym.count, {}) as environments:
        prepared = [Monitor(_prepared(env, gym.preparation)) for env in environments]
        venv = DummyVecEnv([partial(_same, env) for env in prepared])
        model = rebuild(file, venv, values, seed)
        _restore(model, file, members, resumed=resumed)
        if resumed:
            _resume(model, counters, start)
        if gym.continued and hasattr(model, 'replay_buffer'):
            _act_from_the_start(model)

        def watch(_locals: Mapping[str, Any], _globals: Mapping[str, Any]) -> bool:
            progress(model.num_timesteps)
            return True

        model.learn(steps, callback=watch)
    model.save(folder / STATE_FILE)
    if hasattr(model, 'replay_buffer'):
        (folder / STATE_REPLAY).write_bytes(tensor_bytes(_replay_arrays(model.replay_buffer)))
    return Counters(
        counters.steps + model.num_timesteps,
        model._n_updates,
        getattr(model, '_n_calls', 0),
        counters.chunks + 1,
    )


def environments_of(file: Sb3File) -> int:
    """Return how many environments side by side a file was trained in, 1 if that is unknown."""
    count = file.data.get('n_envs')
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 1


def _read(path: Path) -> tuple[Sb3File, dict[str, Any]]:
    """Return a file, and its tensors besides the parameters of the policy, by member.

    Raises:
        UserError: it is damaged.
    """
    with open_archive(path) as archive:
        file = read_file(archive)
        members = {
            name: load_tensors(path / name, archive.read(name))
            for name in archive.names
            if name.endswith('.pth') and name != STATE
        }
    return file, members


def _same(env: gymnasium.Env) -> gymnasium.Env:
    return env


def _prepared(env: gymnasium.Env, preparation: tuple[Step, ...]) -> gymnasium.Env:
    """Return an environment whose observations are prepared for the network."""
    if not preparation:
        return env
    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Box):
        raise UserError(
            f'observations of the space {type(space).__name__} cannot be normalized in training'
        )

    def prepare(observation: AnyArray) -> AnyArray:
        values = torch.from_numpy(observation.astype('float32').reshape(1, -1))
        result: AnyArray = apply(preparation, values).numpy().reshape(space.shape)
        return result

    whole = gymnasium.spaces.Box(-float('inf'), float('inf'), space.shape)
    return gymnasium.wrappers.TransformObservation(env, prepare, whole)


def _restore(model: Any, file: Sb3File, members: Mapping[str, Any], *, resumed: bool) -> None:
    """Set what the policy's parameters leave out: the entropy coefficient and the optimizers.

    Optimizers are reset unless the training is resumed.

    Raises:
        UserError: they do not fit the algorithm.
    """
    try:
        variables = members.get(VARIABLES)
        entropy = variables.get(ENTROPY) if isinstance(variables, dict) else None
        if entropy is not None and getattr(model, ENTROPY, None) is not None:
            with torch.no_grad():
                model.log_ent_coef.copy_(entropy)
        if resumed:
            optimizers = {
                name.removesuffix('.pth'): state
                for name, state in members.items()
                if name != VARIABLES
            }
            model.set_parameters(optimizers, exact_match=False)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise file.error(f'does not fit {type(model).__name__}: {error}') from None


def _resume(model: Any, counters: Counters, folder: Path) -> None:
    """Set the counters and the replay memory of a training that is resumed.

    Raises:
        UserError: the replay memory is damaged, or of another algorithm.
    """
    model._n_updates = counters.updates
    if hasattr(model, '_n_calls'):
        model._n_calls = counters.calls
    if hasattr(model, 'replay_buffer'):
        _load_replay(model.replay_buffer, folder / STATE_REPLAY)


def _act_from_the_start(model: Any) -> None:
    """Let the policy act while the replay memory fills; by default actions are random then."""
    collect = model.collect_rollouts

    def by_policy(*arguments: Any, **options: Any) -> Any:
        return collect(*arguments, **{**options, 'learning_starts': 0})

    model.collect_rollouts = by_policy


def _replay_arrays(memory: Any) -> dict[str, AnyArray]:
    """Return the used part of a replay memory by name; entries of a dict as `name/entry`."""
    used = memory.buffer_size if memory.full else memory.pos
    arrays = {name: values[:used] for name, values in _arrays(memory).items()}
    state = {_POSITION: memory.pos, _FULL: int(memory.full)}
    return {**arrays, **{name: _scalar(value) for name, value in state.items()}}


def _scalar(value: int) -> AnyArray:
    return np.array([value], np.int64)


def _arrays(memory: Any) -> dict[str, AnyArray]:
    found: dict[str, AnyArray] = {}
    for name, value in vars(memory).items():
        if isinstance(value, np.ndarray) and value.shape[:1] == (memory.buffer_size,):
            found[name] = value
        if isinstance(value, dict):
            found |= {f'{name}/{key}': part for key, part in value.items() if hasattr(part, 'ndim')}
    return found


def _load_replay(memory: Any, path: Path) -> None:
    """Fill a replay memory.

    Raises:
        UserError: the file is damaged, or of another memory.
    """
    saved, _ = read_tensors(path, LARGEST_REPLAY)
    own = _arrays(memory)
    if saved.keys() != own.keys() | {_POSITION, _FULL}:
        raise UserError(f'{path}: is of another replay memory')
    for name, values in own.items():
        if saved[name].shape[1:] != values.shape[1:] or len(saved[name]) > len(values):
            raise UserError(f'{path}: {name} is of another replay memory')
        values[: len(saved[name])] = saved[name]
    memory.pos, memory.full = int(saved[_POSITION][0]), bool(saved[_FULL][0])
