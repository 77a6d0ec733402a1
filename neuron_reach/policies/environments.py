# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Opening Gymnasium environments by name, with errors of one line."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
from gymnasium import error as gymnasium_error

import neuron_reach.environment  # registers the reaching task  # noqa: F401
from neuron_reach.common.resources import pip_install
from neuron_reach.errors import UserError

STEPS = 10_000
"""Steps after which an episode is cut in an environment without a time limit."""

PERIOD = 0.02
"""Seconds of a step, for time stamps, where an environment does not say its frame rate."""

PACKAGES = {
    'ALE/': ('ale-py', 'ale_py'),
    'Fetch': ('gymnasium-robotics', 'gymnasium_robotics'),
    'MiniGrid-': ('minigrid', 'minigrid'),
    'Panda': ('panda-gym', 'panda_gym'),
    'highway': ('highway-env', 'highway_env'),
}
"""Beginnings of names of environments outside Gymnasium: the package to install, and its module."""

EXTRAS = {'box2d': 'box2d', 'mujoco': 'mujoco', 'pygame': 'classic-control', 'jax': 'jax'}
"""What an environment of Gymnasium may miss, and the extra of Gymnasium that brings it."""


@contextlib.contextmanager
def opened(env: Any, count: int, options: Mapping[str, Any]) -> Iterator[list[gymnasium.Env]]:
    """Open environments; those that were opened here are closed at the end.

    Args:
        env: a name, such as `LunarLander-v3` or `my_module:MyEnv-v0`, or an environment.
        count: number of environments of a name; a given environment is used alone, and stays open.
        options: passed on to environments given by name.

    Raises:
        UserError: there is no such environment, or a library that it needs is missing.
    """
    if not isinstance(env, str):
        _check_single(env)
        if options:
            raise UserError('options are for environments given by name; this one exists already')
        yield [env]
        return
    environments: list[gymnasium.Env] = []
    try:
        environments += (_make(env, options) for _ in range(count))
        yield environments
    finally:
        for environment in environments:
            environment.close()


def _check_single(env: Any) -> None:
    if isinstance(env, gymnasium.vector.VectorEnv) or hasattr(env, 'num_envs'):
        raise UserError(
            f'{type(env).__name__} is a vector of environments; give a single one or its name'
        )
    if not isinstance(env, gymnasium.Env):
        raise UserError(
            f'env must be the name of a Gymnasium environment or a gymnasium.Env, '
            f'not {type(env).__name__}'
        )


def _make(name: str, options: Mapping[str, Any]) -> gymnasium.Env:
    module, colon, _ = name.rpartition(':')
    if colon:
        if not all(part.isidentifier() for part in module.split('.')):
            raise UserError(f'{name}: {module!r} is no name of a module; write module:ENV_ID')
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing = getattr(error, 'name', None) or module
            raise UserError(
                f'{name}: the module {missing} cannot be imported ({error}); it must be '
                'installed, or lie in a folder of PYTHONPATH'
            ) from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', '.*out of date.*')
            made: gymnasium.Env = gymnasium.make(name, disable_env_checker=True, **options)
            return made
    except gymnasium_error.DependencyNotInstalled as error:
        raise UserError(f'{name}: {_missing(str(error))}') from None
    except gymnasium_error.DeprecatedEnv as error:
        raise UserError(
            f'{name}: {_line(error)} Policies trained on the earlier version run on the new one '
            'if sizes fit; results may differ'
        ) from None
    except (gymnasium_error.UnregisteredEnv, gymnasium_error.Error) as error:
        raise UserError(f'{name}: {_line(error)}{_package(name)}') from None
    except ModuleNotFoundError as error:
        raise UserError(f'{name}: needs the module {error.name}, which is not installed') from None
    except TypeError as error:
        raise UserError(f'{name}: cannot be made with {dict(options)}: {_line(error)}') from None


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _missing(text: str) -> str:
    lower = text.lower()
    for library, extra in EXTRAS.items():
        if library in lower:
            install = pip_install(f'gymnasium[{extra}]')
            return f'{library} is not installed; {install}'
    return ' '.join(text.split())


def _package(name: str) -> str:
    for start, (package, module) in PACKAGES.items():
        if name.startswith(start):
            return f' ({pip_install(package)}, then name it {module}:{name})'
    return ''


def time_limit(env: gymnasium.Env) -> int | None:
    """Return after how many steps an environment ends each episode; None: never."""
    return None if env.spec is None else env.spec.max_episode_steps


def control_period(env: gymnasium.Env) -> float:
    """Return the seconds of a step, from the frame rate of an environment if it says one."""
    rate = env.metadata.get('render_fps')
    return 1.0 / rate if isinstance(rate, (int, float)) and rate > 0 else PERIOD
