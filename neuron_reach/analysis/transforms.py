# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Input transforms: run a network on the inputs of another one.

Any two networks have a matrix, with a row for each input of the source and a column for each input
of the target, which may follow from the names of the inputs. Those of arms with different numbers
of joints have a matrix J of their joints.

The joint angles of the target network's arm are decoded from its inputs, transformed by a matrix to
those of the source network's arm, theta_source = J theta_target, and encoded again; the goal does
not change (paper, section 6). All arms have the same length; joint i of n is at the share
(i - 1) / n of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuron_reach.analysis.options import TRANSFORMS
from neuron_reach.common.arrays import Array, Single
from neuron_reach.common.options import check_keys
from neuron_reach.errors import UserError


def _aligned(few: int, many: int) -> list[int]:
    """Return, for each joint of the arm with few joints, the closest joint of the other arm.

    Of two equally close joints, the one nearer to the base is taken.
    """
    return [-((few - 2 * joint * many) // (2 * few)) for joint in range(few)]


def input_transform(kind: str = 'balanced', *, source: int, target: int) -> Array:
    """Return J with theta_source = J theta_target, (source joints, target joints).

    Kinds, for a source with more joints than the target:
        naive: joint i gets the angle of joint i; the remaining joints stay at zero. 2 -> 4:
            (t1, t2, 0, 0), figure 5 (4a) of the paper.
        balanced: each angle goes to the source joint that is closest along the arm; the other
            joints stay at zero. 2 -> 4: (t1, 0, t2, 0), figure 5 (4b), which makes the arm with
            four joints move exactly as the arm with two.
        duplicate: as balanced, but the joints in between repeat the angle of the closest target
            joint. 2 -> 4: (t1, t1, t2, t2).
    For a source with fewer joints, each joint gets the angle of one target joint: one of the first
    (naive), or the closest along the arm (balanced, duplicate). For equal numbers of joints all
    kinds are the identity.

    Args:
        kind: one of `TRANSFORMS`.
        source: number of joints of the source's arm.
        target: number of joints of the target's arm.

    Raises:
        UserError: an unknown kind, or fewer than one joint.
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
    values: Mapping[str, Any], origin: str, *, source: int, target: int, unit: str = 'joint'
) -> Array:
    """Build a matrix from the content of a user's YAML file: `matrix`, a row per source joint.

    Args:
        values: content of the file.
        origin: name of the file, for messages.
        source: number of joints of the source's arm, or of its inputs.
        target: likewise of the target.
        unit: what rows and columns are: `joint` or `input`.

    Raises:
        UserError: an unknown key, or not a matrix of finite numbers of the required shape.
    """
    check_keys(values, {'matrix'}, origin)
    shape = (source, target)
    allowed = (
        f'{origin}: matrix must be {source} rows (source {unit}s) '
        f'of {target} numbers (target {unit}s)'
    )
    try:
        matrix = np.array(values['matrix'], np.float64)
    except KeyError:
        raise UserError(f'{allowed}; it is missing') from None
    except (TypeError, ValueError):
        raise UserError(f'{allowed}; it is not rows of numbers of equal length') from None
    if matrix.shape != shape or not np.isfinite(matrix).all():
        problem = 'not finite' if matrix.shape == shape else f'of shape {matrix.shape}'
        raise UserError(f'{allowed}; it is {problem}')
    return matrix


def named_transform(*, source: Sequence[str], target: Sequence[str]) -> Array:
    """Return the matrix that gives each input of the source that of the same name of the target.

    Inputs whose names the target lacks stay at zero.

    Args:
        source: names of the inputs of the source, in their order.
        target: likewise of the target.

    Returns:
        (inputs of the source, inputs of the target).

    Raises:
        UserError: a name appears twice, or the two have no name in common.
    """
    for role, names in (('source', source), ('target', target)):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UserError(f'names of the inputs of the {role}: {twice[0]!r} appears twice')
    matrix = np.array([[mine == other for other in target] for mine in source], np.float64)
    if not matrix.any():
        raise UserError('the inputs of source and target have no name in common')
    return matrix


def input_matrix(values: Mapping[str, Any], origin: str, *, source: int, target: int) -> Array:
    """Return the matrix of inputs that a user's dictionary or YAML file describes.

    Args:
        values: `matrix`, with one row per input of the source; or `source` and `target`, the names
            of all inputs of each, see `named_transform`.
        origin: name of the file, for messages.
        source: number of inputs of the source.
        target: number of inputs of the target.

    Raises:
        UserError: other keys, or a number of rows, columns or names that does not fit.
    """
    if 'matrix' in values:
        return transform_from_values(values, origin, source=source, target=target, unit='input')
    check_keys(values, {'source', 'target'}, origin)
    for role, inputs in (('source', source), ('target', target)):
        names = values.get(role)
        if not isinstance(names, Sequence) or isinstance(names, str) or len(names) != inputs:
            raise UserError(
                f'{origin}: {role} must be the names of the {inputs} inputs of the {role}'
                f'{"" if names is None or isinstance(names, str) else f", not {len(names)}"}'
            )
    return named_transform(source=values['source'], target=values['target'])


def joint_angles(observations: ArrayLike) -> Array:
    """Return the joint angles in observations [sin, cos, ..., goal x, goal z], (..., n), rad.

    Angles are in (-pi, pi]. Those of whole episodes, (episodes, steps, 2n + 2), are unwrapped to be
    continuous from step to step, so that matrices with entries that are not whole numbers can be
    applied to them as well.
    """
    values = np.asarray(observations, np.float64)
    angles = np.arctan2(values[..., 0:-2:2], values[..., 1:-2:2])
    return np.unwrap(angles, axis=-2) if angles.ndim > 2 else angles


def transform_observations(observations: ArrayLike, matrix: ArrayLike) -> Single:
    """Convert observations of the target to those of the source.

    Args:
        observations: (..., inputs); of an arm (..., 2n + 2), see `joint_angles`.
        matrix: of inputs, (inputs of the source, inputs); or J of joints, (n', n).

    Returns:
        (..., inputs of the source); for J (..., 2n' + 2).

    Raises:
        ValueError: the matrix is for a different number of inputs or joints, or not finite.
    """
    values, matrix = np.asarray(observations), np.asarray(matrix, np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError('a transform must consist of finite numbers')
    if matrix.ndim == 2 and matrix.shape[1] == values.shape[-1]:
        transformed: Single = (values @ matrix.T).astype(np.float32)
        return transformed
    joints = (values.shape[-1] - 2) // 2
    if matrix.ndim != 2 or matrix.shape[1] != joints or values.shape[-1] != 2 * joints + 2:
        raise ValueError(
            f'a transform of shape {matrix.shape} does not act on observations of '
            f'{values.shape[-1]} numbers'
        )
    if np.array_equal(matrix, np.eye(joints)):  # no decoding, which would add rounding errors
        return values.astype(np.float32)
    angles = joint_angles(values) @ matrix.T
    result = np.empty((*values.shape[:-1], 2 * len(matrix) + 2), np.float32)
    result[..., 0:-2:2] = np.sin(angles)
    result[..., 1:-2:2] = np.cos(angles)
    result[..., -2:] = values[..., -2:]
    return result
