# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The reaching task as a Gymnasium environment, one arm at a time or a whole fleet.

Importing this module registers `neuron_reach/Reach-v0`; `gymnasium.make` can do the import itself:
`gymnasium.make('neuron_reach.environment:neuron_reach/Reach-v0', joints=3)`.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neuron_reach.arm.kinematics import link_ends
from neuron_reach.arm.simulator import CONTROL_PERIOD, ArmOptions, FleetSimulator
from neuron_reach.arm.task import CELL_SHARE, ReachingTask, TaskOptions
from neuron_reach.common.options import check_keys
from neuron_reach.errors import UserError
from neuron_reach.learning.setup import Setup

ENVIRONMENT_ID = 'neuron_reach/Reach-v0'

METADATA: dict[str, Any] = {'render_modes': ['rgb_array'], 'render_fps': round(1 / CONTROL_PERIOD)}

PICTURE_SIZE = 400
"""Edge of a rendered picture, pixels."""


class _Episodes:
    """Episodes of a fleet, one for each arm, played step by step."""

    def __init__(self, arms: int, options: Mapping[str, Any], render_mode: str | None) -> None:
        groups = (ArmOptions, TaskOptions)
        known = {field.name for group in groups for field in dataclasses.fields(group)}
        check_keys(options, known, ENVIRONMENT_ID)
        if render_mode not in (None, *METADATA['render_modes']):
            raise UserError(
                f'{ENVIRONMENT_ID}: render_mode must be one of None, rgb_array, not {render_mode!r}'
            )
        setup = Setup.from_values(options, ENVIRONMENT_ID)
        self.task = ReachingTask(setup.task, setup.arm)
        self.fleet = FleetSimulator(setup.arm, arms)
        self.goals = np.zeros((arms, 2))
        self._targets = np.empty((arms, setup.arm.joints))
        self._angles = self.fleet.joint_angles
        self._traced = render_mode is not None
        self._trail: deque[NDArray[np.floating]] = deque(maxlen=setup.task.episode_steps + 1)
        self.steps_left = np.zeros(arms, int)
        self.begun = np.zeros(arms, bool)

    def observation_space(self) -> Any:  # how Gymnasium types a Box differs by its version
        """Return the Box of one arm's observation, with its bounds."""
        limit = self.task.arm.arm_length * (1.0 + CELL_SHARE)  # goals fill whole cells
        high = np.ones(self.task.observation_size, np.float32)
        high[-2:] = limit
        low = -high
        if self.task.options.goals == 'upper':
            low[-1] = 0.0
        return gymnasium.spaces.Box(low, high, dtype=np.float32)

    def action_space(self) -> gymnasium.spaces.Discrete:
        """Return the space of one arm's action."""
        return gymnasium.spaces.Discrete(len(self.task.actions))

    def begin(self, chosen: NDArray[np.bool_], generators: Sequence[np.random.Generator]) -> None:
        """Start new episodes on the chosen arms, each with a goal from its own generator."""
        for arm in np.flatnonzero(chosen):
            self.goals[arm] = self.task.sample_goals(generators[int(arm)], 1)[0]
        self._angles = self.fleet.reset(chosen)
        self._targets[chosen] = self.task.arm.start_pose
        self.steps_left[chosen] = self.task.options.episode_steps
        self.begun |= chosen
        if self._traced:
            if self._trail:
                self._trail.pop()
            self._trail.append(self._ends()[:, -1])

    def advance(self, moving: NDArray[np.bool_], actions: NDArray[np.int64]) -> None:
        """Play one control cycle; arms that are not `moving` are reset by `begin`."""
        if not (self.steps_left[moving].all() and self.begun.all()):
            raise gymnasium.error.ResetNeeded('the episode is over or has not begun: call reset()')
        self._targets[moving] += self.task.actions[actions[moving]]
        self.fleet.send(self._targets)
        self._angles = self.fleet.receive()
        self.steps_left[moving] -= 1
        if self._traced:
            self._trail.append(self._ends()[:, -1])

    def see(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the observations and the distances."""
        return (
            self.task.observe(self._angles, self.goals),
            self.task.distance(self._angles, self.goals),
        )

    def _ends(self) -> NDArray[np.floating]:
        return link_ends(self._angles, self.task.arm.link_lengths)

    def draw(self, arm: int) -> NDArray[np.uint8]:
        """Return a picture of an arm, its goal and the trail of its tip, (height, width, 3)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second to import
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 4), dpi=PICTURE_SIZE / 4)
        canvas = FigureCanvasAgg(figure)
        limit = 1.1 * self.task.arm.arm_length
        axes = figure.add_axes((0, 0, 1, 1), xlim=(-limit, limit), ylim=(-limit, limit))
        axes.axis('off')
        if self.begun[arm]:
            played = self.task.options.episode_steps - self.steps_left[arm]
            trail = [tips[arm] for tips in self._trail][-played - 1 :]
            axes.plot(*np.array(trail).T, color='tab:green')
        links = np.vstack((np.zeros(2), self._ends()[arm]))
        axes.plot(*links.T, color='black', linewidth=4, marker='o')
        axes.plot(*self.goals[arm], color='tab:red', marker='*', markersize=14)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture: NDArray[np.uint8] = pixels[..., :3]
        return picture


_ALONE = np.ones(1, bool)


class ReachEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A planar arm that learns to move its tip to a goal.

    ## Description

    A planar arm of `joints` revolute joints in the vertical x-z plane moves its tip to a
    goal. Each joint has a PID position controller; the policy shifts the controllers' target
    angles once in a control cycle of 50 ms.

    ## Action space

    `Discrete(3 ** joints)`. Every action is one combination of these motions, the last joint
    changing fastest; `unwrapped.task.actions` is the table, (3^n, n) in rad.

    | digit of the action in base 3 | change of the joint's target angle |
    |---|---|
    | 0 | -0.05 rad |
    | 1 | 0 rad |
    | 2 | +0.05 rad |

    ## Observation space

    `Box`, float32, `(2 * joints + 2,)`; L is the length of the whole arm, `arm_length`. Angles are
    measured ones: the first from the x axis towards z, the others from the link before.

    | index | observation | min | max | unit |
    |---|---|---|---|---|
    | 2k | sine of the angle of joint k + 1 | -1 | 1 | - |
    | 2k + 1 | cosine of the angle of joint k + 1 | -1 | 1 | - |
    | 2n | x of the goal | -1.02 L | 1.02 L | m |
    | 2n + 1 | z of the goal | 0 (`goals='full'`: -1.02 L) | 1.02 L | m |

    ## Rewards

    In every step (1 / (1 + d))², with the distance d of the tip from the goal in m; with
    `reward='linear'` it is (1 - d / 2L)².

    ## Starting state

    The arm rests in its start pose, which is always the same. The goal is drawn uniformly by area
    from the points that the tip can reach within `reach_steps` control cycles.

    ## Episode end

    Truncated after `episode_steps` (60) steps; never terminated. The episode is a success if the
    reward of the last step is at least `success_reward` (0.9: a distance of at most 0.054 m).

    ## Information

    `distance` in m; in the last step also `is_success`.

    ## Arguments

    The fields of `ArmOptions` and `TaskOptions`, such as `joints=3`; an unknown one or a value out
    of range raises `neuron_reach.errors.UserError`. `render_mode='rgb_array'` draws the arm, the
    goal and the trail of the tip.

    ```python
    import gymnasium
    import neuron_reach.environment

    env = gymnasium.make('neuron_reach/Reach-v0', joints=3)
    envs = gymnasium.make_vec('neuron_reach/Reach-v0', num_envs=128, joints=3)
    ```

    The vectorized form is one fleet. The step after the last one of an arm's episode begins its
    next one (next-step autoreset). `reset(seed=s)` seeds arm i with s + i, so that each arm behaves
    exactly like a single environment with that seed; `reset(options={'reset_mask': mask})` resets
    the arms where the mask is true, and leaves the others unchanged.
    """

    metadata = METADATA

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        self._episodes = _Episodes(1, options, render_mode)
        self.task = self._episodes.task
        self.render_mode = render_mode
        self.observation_space = self._episodes.observation_space()
        self.action_space = self._episodes.action_space()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Put the arm into the start pose and draw a goal; there are no `options`."""
        super().reset(seed=seed)
        self._episodes.begin(_ALONE, [self.np_random])
        observations, distances = self._episodes.see()
        return observations[0], {'distance': float(distances[0])}

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play one control cycle of 50 ms."""
        assert self.action_space.contains(action), f'{action!r} is not in {self.action_space}'
        self._episodes.advance(_ALONE, np.array([action]))
        observations, distances = self._episodes.see()
        reward = float(self.task.reward_at(distances)[0])
        info: dict[str, Any] = {'distance': float(distances[0])}
        truncated = not self._episodes.steps_left[0]
        if truncated:
            info['is_success'] = bool(self.task.success(reward))
        return observations[0], reward, False, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture, (400, 400, 3), or None without a render mode."""
        return None if self.render_mode is None else self._episodes.draw(0)


class ReachVectorEnv(
    gymnasium.vector.VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]
):
    """Many `ReachEnv` as one fleet; see `ReachEnv`."""

    metadata = METADATA
    if hasattr(gymnasium.vector, 'AutoresetMode'):  # Gymnasium 1.0 has only this mode
        metadata = {**METADATA, 'autoreset_mode': gymnasium.vector.AutoresetMode.NEXT_STEP}

    def __init__(self, num_envs: int = 1, render_mode: str | None = None, **options: Any) -> None:
        self.num_envs = num_envs
        self._episodes = _Episodes(num_envs, options, render_mode)
        self.task = self._episodes.task
        self.render_mode = render_mode
        self.single_observation_space = self._episodes.observation_space()
        self.single_action_space = self._episodes.action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators = [seeding.np_random()[0] for _ in range(num_envs)]
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode on every arm, or on some.

        Args:
            seed: an integer s gives arm i the seed s + i; a sequence has a seed or None per arm.
            options: `reset_mask`, (arms,) of bool: which arms to reset; the others stay unchanged.

        Raises:
            ValueError: `seed` or `reset_mask` is of the wrong length, or the mask is all False.
            TypeError: `seed` or `reset_mask` is of the wrong type.
        """
        if seed is None or isinstance(seed, int):
            seeds = [None if seed is None else seed + arm for arm in range(self.num_envs)]
        elif len(seed) != self.num_envs:
            raise ValueError(f'seed must be one for each of {self.num_envs} arms, not {len(seed)}')
        else:
            seeds = list(seed)
        chosen = np.ones(self.num_envs, bool)
        if options is not None and 'reset_mask' in options:
            chosen = self._checked_mask(options['reset_mask'])
        fresh = {
            arm: seeding.np_random(seeds[arm])[0]
            for arm in np.flatnonzero(chosen)
            if seeds[arm] is not None
        }
        for arm, generator in fresh.items():
            self._generators[arm] = generator
        self._ended[chosen] = False
        self._episodes.begin(chosen, self._generators)
        observations, distances = self._episodes.see()
        return observations, self._infos(chosen, distance=distances)

    def _checked_mask(self, mask: Any) -> NDArray[np.bool_]:
        """Return a checked copy of a `reset_mask`, as the caller may reuse the array."""
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"options['reset_mask'] must be a NumPy array of bool, not {kind}")
        if mask.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask'] must be of shape ({self.num_envs},), not {mask.shape}"
            )
        if not mask.any():
            raise ValueError("options['reset_mask'] must be True for at least one arm")
        if not (self._episodes.begun | mask).all():
            raise gymnasium.error.ResetNeeded('the first reset must include all arms')
        checked: NDArray[np.bool_] = mask.copy()
        return checked

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one control cycle of 50 ms; arms whose episode is over start a new one."""
        moving = ~self._ended
        if np.shape(actions) == moving.shape:
            actions = np.where(moving, actions, 0)
        assert self.action_space.contains(actions), f'{actions!r} is not of {self.action_space}'
        if moving.any():
            self._episodes.advance(moving, actions)
        if self._ended.any():
            self._episodes.begin(self._ended, self._generators)
        self._ended = self._episodes.steps_left == 0
        observations, distances = self._episodes.see()
        rewards = np.where(moving, self.task.reward_at(distances), 0.0)
        infos = self._infos(np.ones(self.num_envs, bool), distance=distances)
        if self._ended.any():
            infos |= self._infos(self._ended, is_success=self.task.success(rewards))
        never = np.zeros(self.num_envs, bool)
        return observations, rewards, never, self._ended.copy(), infos

    def _infos(self, arms: NDArray[np.bool_], **values: NDArray[Any]) -> dict[str, Any]:
        """Return infos in Gymnasium's form: each with a mask of the arms that have it."""
        infos: dict[str, Any] = {}
        for name, value in values.items():
            infos |= {name: np.where(arms, value, value.dtype.type(0)), f'_{name}': arms.copy()}
        return infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return a picture of every arm, (400, 400, 3) each, or None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self._episodes.draw(arm) for arm in range(self.num_envs))


gymnasium.register(
    ENVIRONMENT_ID,
    entry_point='neuron_reach.environment:ReachEnv',
    vector_entry_point='neuron_reach.environment:ReachVectorEnv',
)
