"""The reaching task as a Gymnasium environment, one arm at a time or a whole fleet.

Importing this module registers `neuron_reach/Reach-v0`; `gymnasium.make` can do the import itself:
`gymnasium.make('neuron_reach.environment:neuron_reach/Reach-v0', joints=3)`.
"""

from __future__ import annotations

import dataclasses
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
from neuron_reach.errors import UserError
from neuron_reach.learning.setup import Setup
from neuron_reach.options import check_keys

ENVIRONMENT_ID = 'neuron_reach/Reach-v0'

METADATA: dict[str, Any] = {'render_modes': ['rgb_array'], 'render_fps': round(1 / CONTROL_PERIOD)}

PICTURE_SIZE = 400
"""Edge of a rendered picture, pixels."""


class _Episodes:
    """One round of episodes, played by a fleet step by step; all of them end together."""

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
        self._trail: list[NDArray[np.floating]] = []
        self._steps_left = 0

    def observation_space(self) -> Any:  # how Gymnasium types a Box differs by its version
        """Return the Box of one arm's observation, with the bounds it keeps to."""
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

    @property
    def running(self) -> bool:
        """Whether there are steps to go."""
        return self._steps_left > 0

    def begin(
        self, generators: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Draw new goals and return the first observations and the distances."""
        for arm, generator in enumerate(generators):
            self.goals[arm] = self.task.sample_goals(generator, 1)[0]
        self._angles = self.fleet.reset()
        self._targets[:] = self.task.arm.start_pose
        self._steps_left = self.task.options.episode_steps
        if self._traced:
            self._trail = [self._ends()[:, -1]]
        return (
            self.task.observe(self._angles, self.goals),
            self.task.distance(self._angles, self.goals),
        )

    def advance(
        self, actions: NDArray[np.int64] | np.int64
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """Play one control cycle; return observations, rewards and distances."""
        if not self.running:
            raise gymnasium.error.ResetNeeded('the episode is over or has not begun: call reset()')
        self._targets += self.task.actions[actions]
        self.fleet.send(self._targets)
        self._angles = self.fleet.receive()
        self._steps_left -= 1
        distances = self.task.distance(self._angles, self.goals)
        rewards = self.task.reward_at(distances)
        if self._traced:
            self._trail.append(self._ends()[:, -1])
        return self.task.observe(self._angles, self.goals), rewards, distances

    def _ends(self) -> NDArray[np.floating]:
        return link_ends(self._angles, self.task.arm.link_lengths)

    def draw(self, arm: int) -> NDArray[np.uint8]:
        """Return a picture of an arm, its goal and the trail of its tip, (height, width, 3)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second to import
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 4), dpi=PICTURE_SIZE / 4)
        canvas = FigureCanvasAgg(figure)
        limit = 1.1 * self.task.arm.arm_length
        axes = figure.add_axes((0, 0, 1, 1), xlim=(-limit, limit), ylim=(-limit, limit))
        axes.axis('off')
        if self._trail:  # none before the first episode
            axes.plot(*np.array([tips[arm] for tips in self._trail]).T, color='tab:green')
        links = np.vstack((np.zeros(2), self._ends()[arm]))
        axes.plot(*links.T, color='black', linewidth=4, marker='o')
        axes.plot(*self.goals[arm], color='tab:red', marker='*', markersize=14)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture: NDArray[np.uint8] = pixels[..., :3]
        return picture


class ReachEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A planar arm that learns to put its tip onto a goal.

    ## Description

    A planar arm of `joints` revolute joints in the vertical x-z plane shall put its tip onto a
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
    from where the tip can get within `reach_steps` control cycles.

    ## Episode end

    Truncated after `episode_steps` (60) steps; never terminated. The episode was a success if the
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

    The vectorised form is one fleet. Its episodes end together, and the step after the last one
    begins new ones (next-step autoreset). `reset(seed=s)` seeds arm i with s + i, so that each arm
    behaves exactly like a single environment with that seed.
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
        observations, distances = self._episodes.begin([self.np_random])
        return observations[0], {'distance': float(distances[0])}

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play one control cycle of 50 ms."""
        assert self.action_space.contains(action), f'{action!r} is no action of {self.action_space}'
        observations, rewards, distances = self._episodes.advance(action)
        reward = float(rewards[0])
        info: dict[str, Any] = {'distance': float(distances[0])}
        truncated = not self._episodes.running
        if truncated:
            info['is_success'] = bool(self.task.success(reward))
        return observations[0], reward, False, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture, (400, 400, 3), or None without a render mode."""
        return None if self.render_mode is None else self._episodes.draw(0)


class ReachVectorEnv(
    gymnasium.vector.VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]
):
    """Many `ReachEnv` as one fleet; see there."""

    metadata = METADATA
    if hasattr(gymnasium.vector, 'AutoresetMode'):  # Gymnasium 1.0 knew no other mode
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

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode on every arm; an integer seed s gives arm i the seed s + i."""
        if isinstance(seed, int):
            seed = range(seed, seed + self.num_envs)
        for arm, own in enumerate(seed or ()):
            if own is not None:
                self._generators[arm] = seeding.np_random(own)[0]
        observations, distances = self._episodes.begin(self._generators)
        return observations, self._infos(distance=distances)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one control cycle of 50 ms, or begin new episodes after the last one."""
        never = np.zeros(self.num_envs, bool)
        if not self._episodes.running:
            observations, infos = self.reset()
            return observations, np.zeros(self.num_envs), never, never.copy(), infos
        assert self.action_space.contains(actions), f'{actions!r} is not of {self.action_space}'
        observations, rewards, distances = self._episodes.advance(actions)
        infos = self._infos(distance=distances)
        truncations = np.full(self.num_envs, not self._episodes.running)
        if not self._episodes.running:
            infos |= self._infos(is_success=self.task.success(rewards))
        return observations, rewards, never, truncations, infos

    def _infos(self, **values: NDArray[Any]) -> dict[str, Any]:
        """Return information in Gymnasium's form: each with a mask of the arms that have it."""
        masks = {f'_{name}': np.ones(self.num_envs, bool) for name in values}
        return {**values, **masks}

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
