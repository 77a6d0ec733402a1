# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Running a network on the inputs of an arm with another number of joints.

The joint angles of the target network's arm, theta, become those of the source network's arm by a
matrix, theta_source = J theta_target, and are encoded again; the goal stays as it is (paper,
section 6). All arms have the same length, of which joint i of n sits at (i - 1) / n.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.options import TRANSFORMS
from neuron_reach.common.arrays import Array, Single
from neuron_reach.common.options import check_keys
from neuron_reach.errors import UserError


def _aligned(few: int, many: int) -> list[int]:
    """For each joint of the arm with few joints, the joint of the other that sits closest to it.

    Between two equally close ones, the one nearer to the base.
    """
    return [-((few - 2 * joint * many) // (2 * few)) for joint in range(few)]


def input_transform(kind: str = 'balanced', *, source: int, target: int) -> Array:
    """Return J with theta_source = J theta_target, (source joints, target joints).

    Kinds, for a source with more joints than the target:
        naive: joint i takes the angle of joint i; the joints that are left stay at zero. 2 -> 4:
            (t1, t2, 0, 0), figure 5 (4a) of the paper.
        balanced: each angle goes to the source joint that sits closest to it along the arm, the
            other joints stay at zero. 2 -> 4: (t1, 0, t2, 0), figure 5 (4b), by which the arm with
            four joints moves exactly as the one with two.
        duplicate: as balanced, but the joints in between repeat the angle of the closest target
            joint. 2 -> 4: (t1, t1, t2, t2).
    For a source with fewer joints, each joint takes the angle of one target joint: of the first
    ones (naive), or of the closest ones along the arm (balanced, duplicate). With equal joint
    counts all kinds are the identity.

    Args:
        kind: see above.
        source: joints of the source's arm.
        target: joints of the target's arm.

    Raises:
        UserError: an unknown kind, or a number of joints below 1.
    """
    if kind not in TRANSFORMS:
        raise UserError(f'transform must be one of {", ".join(TRANSFORMS)}, not {kind!r}')
    if min(source, target) < 1:
        raise UserError('both arms must have at least one joint')
    few, many = sorted((source, target))
    aligned = list(range(few)) if kind == 'naive' else _aligned(few, many)
    matrix: Array = np.zeros((many, few))
    matrix[aligned, range(few)] = 1.0
    if target > source:
        matrix = matrix.T
    elif kind == 'duplicate':
        for joint in set(range(many)) - set(aligned):
            matrix[joint, np.abs(np.arange(few) * many - joint * few).argmin()] = 1.0
    return matrix


def transform_from_values(
    values: Mapping[str, Any], origin: str, *, source: int, target: int
) -> Array:
    """Build J from the content of a user's YAML file: `matrix`, a row for each source joint.

    Args:
        values: what the file holds.
        origin: name of the file, for messages.
        source: joints of the source's arm.
        target: joints of the target's arm.

    Raises:
        UserError: another key, or no matrix of finite numbers of the right shape.
    """
    check_keys(values, {'matrix'}, origin)
    shape = (source, target)
    allowed = (
        f'{origin}: matrix must be {source} rows (source joints) '
        f'of {target} numbers (target joints)'
    )
    try:
        matrix = np.array(values['matrix'], np.float64)
    except KeyError:
        raise UserError(f'{allowed}; there is none') from None
    except (TypeError, ValueError):
        raise UserError(f'{allowed}; these are no rows of numbers, equally long') from None
    if matrix.shape != shape or not np.isfinite(matrix).all():
        found = 'not finite' if matrix.shape == shape else f'of shape {matrix.shape}'
        raise UserError(f'{allowed}; it is {found}')
    return matrix


def joint_angles(observations: ArrayLike) -> Array:
    """Return the joint angles in observations [sin, cos, ..., goal x, goal z], (..., n), rad.

    Angles lie in (-pi, pi]. Of whole episodes, (episodes, steps, 2n + 2), they are continuous from
    step to step, so that also matrices with other entries than whole numbers may act on them.
    """
    values = np.asarray(observations, np.float64)
    angles = np.arctan2(values[..., 0:-2:2], values[..., 1:-2:2])
    return np.unwrap(angles, axis=-2) if angles.ndim > 2 else angles


def transform_observations(observations: ArrayLike, matrix: ArrayLike) -> Single:
    """Turn observations of the target's arm into those of the source's arm.

    Args:
        observations: (..., 2n + 2); see `joint_angles`.
        matrix: J, (n', n).

    Returns:
        (..., 2n' + 2).

    Raises:
        ValueError: the matrix is for another number of joints.
    """
    values, matrix = np.asarray(observations), np.asarray(matrix, np.float64)
    joints = (values.shape[-1] - 2) // 2
    if matrix.ndim != 2 or matrix.shape[1] != joints or values.shape[-1] != 2 * joints + 2:
        raise ValueError(
            f'a transform of shape {matrix.shape} does not act on observations of '
            f'{values.shape[-1]} numbers'
        )
    if np.array_equal(matrix, np.eye(joints)):  # without the rounding of there and back again
        return values.astype(np.float32)
    angles = joint_angles(values) @ matrix.T
    result = np.empty((*values.shape[:-1], 2 * len(matrix) + 2), np.float32)
    result[..., 0:-2:2] = np.sin(angles)
    result[..., 1:-2:2] = np.cos(angles)
    result[..., -2:] = values[..., -2:]
    return result
