# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Algorithms of stable-baselines3, rebuilt from the readable parts of their zip files.

`ALGO.load` unpickles what is in a file, which can run code. Here hyperparameters are the plain
numbers, texts and switches of the file, and parameters are its tensors. What a file holds only as a
pickle, such as most schedules, stays unknown: the default of the library takes its place.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import re
from collections.abc import Mapping
from typing import Any

import torch

from neuron_reach.common.options import meant
from neuron_reach.common.resources import pip_install
from neuron_reach.errors import UserError
from neuron_reach.policies.sb3_file import Sb3File

ALGORITHMS = {
    'a2c': 'stable_baselines3.A2C',
    'ddpg': 'stable_baselines3.DDPG',
    'dqn': 'stable_baselines3.DQN',
    'ppo': 'stable_baselines3.PPO',
    'qrdqn': 'sb3_contrib.QRDQN',
    'sac': 'stable_baselines3.SAC',
    'td3': 'stable_baselines3.TD3',
    'tqc': 'sb3_contrib.TQC',
    'trpo': 'sb3_contrib.TRPO',
}
"""Classes of the algorithms that can retrain a network."""

OURS = {
    *('self', 'policy', 'env', 'policy_kwargs', 'seed', 'device', 'verbose', 'tensorboard_log'),
    *('_init_setup_model', 'stats_window_size', 'optimize_memory_usage'),
    *('replay_buffer_class', 'replay_buffer_kwargs'),
    *('rollout_buffer_class', 'rollout_buffer_kwargs'),
}
"""Parameters of constructors that do not come from files."""

EXPLORATION = ('exploration_initial_eps', 'exploration_final_eps', 'exploration_fraction')
"""Hyperparameters by which Q-learning explores; see `exploration`."""

WARM_UP = 1000
"""Least number of steps in the replay memory before the first update; see `hyperparameters`."""

NOISE = 0.1
"""Standard deviation of the action noise where a file has one that cannot be read."""

LEAST = {'gradient_steps': -1, 'sde_sample_freq': -1, 'learning_starts': 0}
"""Least values of whole hyperparameters that can be less than 1."""

_CONSTANT = re.compile(r'ConstantSchedule\(val=([-+.\deE]+)\)')
"""A schedule that does not change, as readable text of newer files."""

_MODULE = re.compile(r"<class 'torch\.(nn|optim)\.[\w.]*?(\w+)'>")
"""Readable text of a class of activation functions or of optimizers."""

Plain = float | int | str | bool | None
"""Value of a hyperparameter that files hold as text."""


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """How an algorithm trains.

    Attributes:
        values: arguments of its constructor.
        unknown: the names among them whose values in the file cannot be read.
        hindsight: whether the file was trained by hindsight experience replay, which is left out.
    """

    values: dict[str, Plain]
    unknown: tuple[str, ...]
    hindsight: bool = False

    def __str__(self) -> str:
        """Say what differs from the training of the file; empty: nothing."""
        notes = []
        if self.unknown:
            named = ', '.join(f'{name}={self.values[name]}' for name in self.unknown)
            notes.append(
                f'the file holds {", ".join(self.unknown)} only as a pickle, which is not loaded; '
                f'training uses {named} (change with --set NAME=VALUE)'
            )
        if self.hindsight:
            notes.append('training continues without hindsight experience replay')
        return '; '.join(notes)


def algorithm_class(file: Sb3File) -> type[Any]:
    """Return the class of a file's algorithm.

    Raises:
        UserError: it cannot retrain a network, or the library is not installed.
    """
    name = ALGORITHMS.get(file.algorithm)
    if name is None:
        raise file.error(
            f'{file.algorithm} cannot be retrained; supported are {", ".join(ALGORITHMS)}'
        )
    module, _, kind = name.partition('.')
    try:
        found: type[Any] = getattr(importlib.import_module(module), kind)
    except ModuleNotFoundError as error:
        raise UserError(
            f'retraining needs {error.name}, which is not installed; '
            + pip_install('stable-baselines3', 'sb3-contrib')
        ) from None
    return found


def hyperparameters(
    file: Sb3File, chosen: Mapping[str, Plain], *, continued: bool = True
) -> Hyperparameters:
    """Return how to retrain: as chosen, else as in the file, else as by default in the library.

    A continued training explores from the start as the former one did at its end, and its replay
    memory, which starts empty, is filled with at least `WARM_UP` steps before the first update.

    Args:
        file: of the algorithm.
        chosen: values by name, which come before those of the file.
        continued: whether the network is a trained one.

    Raises:
        UserError: there is no hyperparameter of a chosen name, or it cannot have its value.
    """
    parameters = inspect.signature(algorithm_class(file).__init__).parameters
    known = {name: given.default for name, given in parameters.items() if name not in OURS}
    for name in chosen:
        if name not in known:
            raise UserError(
                f'{file.algorithm} has no hyperparameter {name!r}{meant(name, known)}; there are '
                f'{", ".join(known)}'
            )
    chosen = {name: _checked(name, value, known[name]) for name, value in chosen.items()}
    values: dict[str, Plain] = {}
    unknown = []
    for name, default in known.items():
        found, readable = _plain(file.data.get(name, default))
        if name not in chosen and not readable:
            unknown.append(name)
            found = NOISE if name == 'action_noise' else default
        values[name] = chosen.get(name, found)
    if continued and 'learning_starts' in known and 'learning_starts' not in chosen:
        values['learning_starts'] = max(WARM_UP, int(values['learning_starts'] or 0))
    if continued and 'exploration_initial_eps' in known and 'exploration_initial_eps' not in chosen:
        values['exploration_initial_eps'] = values['exploration_final_eps']
    hindsight = 'HerReplayBuffer' in str(file.data.get('replay_buffer_class'))
    return Hyperparameters(values, tuple(unknown), hindsight)


def _checked(name: str, value: Plain, default: Any) -> Plain:
    """Return a chosen value as the library takes it: of the type of the default.

    Raises:
        UserError: it is of another type, or out of range.
    """
    number = None if isinstance(value, bool | str | None) else float(value)
    if isinstance(default, bool):
        expected, fits = 'true or false', isinstance(value, bool)
    elif isinstance(default, int):
        least = LEAST.get(name, 1)
        expected = f'a whole number of at least {least}'
        fits = number is not None and number.is_integer() and least <= number < 2**31
        value = int(number) if fits and number is not None else value
    elif isinstance(default, float):
        expected = 'a number of at least 0'
        fits = number is not None and math.isfinite(number) and number >= 0.0
    else:
        expected, fits = 'finite', number is None or math.isfinite(number)
    if not fits:
        raise UserError(f'{name} must be {expected}, not {value}')
    return value


def _plain(value: Any) -> tuple[Plain, bool]:
    """Return the value of a hyperparameter in a file, and whether it can be read."""
    if isinstance(value, dict):
        found = _CONSTANT.search(str(value.get('value_schedule', '')))
        return (float(found[1]), True) if found else (None, False)
    return (value, True) if isinstance(value, float | int | str | None) else (None, False)


def policy_options(file: Sb3File, policy: type[Any]) -> dict[str, Any]:
    """Return `policy_kwargs` by the shapes and the readable text of a file.

    Args:
        file: of the algorithm.
        policy: the class of its policy.
    """
    parameters = inspect.signature(policy.__init__).parameters
    options: dict[str, Any] = {
        name: value
        for name, value in file.options.items()
        if name in parameters and isinstance(value, float | int | bool)
    }
    for name, module in (('activation_fn', torch.nn), ('optimizer_class', torch.optim)):
        found = _MODULE.fullmatch(str(file.options.get(name)))
        if found is not None and hasattr(module, found[2]):
            options[name] = getattr(module, found[2])
    given = file.options.get('optimizer_kwargs')
    if isinstance(given, dict) and all(_plain(value)[1] for value in given.values()):
        options['optimizer_kwargs'] = given
    if file.family == 'on-policy':
        options['net_arch'] = {'pi': file.widths('policy'), 'vf': file.widths('value')}
    elif file.family == 'actor-critic':
        options['net_arch'] = {'pi': file.widths('policy'), 'qf': file.widths('critic')}
        critics = {name.split('.')[1] for name in file.state if name.startswith('critic.qf')}
        options['n_critics'] = len(critics)
    else:
        options['net_arch'] = file.widths('policy')
    return options


def rebuild(file: Sb3File, env: Any, values: Mapping[str, Plain], seed: int) -> Any:
    """Return the algorithm of a file with hyperparameters, networks as in the file, and no memory.

    Args:
        file: of the algorithm.
        env: a `VecEnv` to train in.
        values: hyperparameters.
        seed: of its random numbers, and of Python's, NumPy's and PyTorch's global ones.

    Raises:
        UserError: the algorithm refuses a hyperparameter, or the environment does not fit.
    """
    from gymnasium import spaces

    kind = algorithm_class(file)
    name = 'MultiInputPolicy' if isinstance(env.observation_space, spaces.Dict) else 'MlpPolicy'
    options = policy_options(file, kind.policy_aliases[name])
    arguments: dict[str, Any] = dict(values)
    if isinstance(arguments.get('action_noise'), float | int):
        arguments['action_noise'] = _noise(float(arguments['action_noise']), env)
    try:
        model = kind(name, env, policy_kwargs=options, seed=seed, device='cpu', **arguments)
    except (AssertionError, TypeError, ValueError) as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise file.error(f'cannot be retrained with these hyperparameters: {reason}') from None
    try:
        model.policy.load_state_dict(file.state)
    except RuntimeError as error:
        reason = ' '.join(str(error).split())
        raise file.error(f'does not fit the environment or the library: {reason}') from None
    return model


def _noise(deviation: float, env: Any) -> Any:
    import numpy as np
    from stable_baselines3.common.noise import NormalActionNoise

    shape = env.action_space.shape
    return NormalActionNoise(np.zeros(shape), np.full(shape, deviation))


def exploration(values: Mapping[str, Plain], steps: int, chunk: int, total: int) -> dict[str, Any]:
    """Return hyperparameters of the exploration of a chunk of a training.

    The exploration rate falls linearly from its initial to its final value over the first part
    (`exploration_fraction`) of the whole training.

    Args:
        values: hyperparameters of the whole training.
        steps: of the environment before the chunk.
        chunk: its steps.
        total: steps of the whole training.
    """
    if 'exploration_fraction' not in values:
        return {}
    first, last, share = (float(values[name] or 0.0) for name in EXPLORATION)

    def rate(at: int) -> float:
        return first + (last - first) * min(1.0, at / max(1.0, share * total))

    return dict(zip(EXPLORATION, (rate(steps), rate(steps + chunk), 1.0), strict=True))
