# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The layout of the messages on the project's topics, defined only here.

Numbers are sent as ``std_msgs`` multi-arrays with named dimensions. The identification of a message
(its episode and step, or its sequence number) precedes the values, and ``layout.data_offset`` gives
the number of these entries, so nothing depends on the order of arrival. The functions accept the
message objects of rclpy and of ``rosbags``; this module imports neither.
"""

from __future__ import annotations

import array
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

JOINT_STATES = 'joint_states'
COMMANDS = 'joint_position_controller/commands'
GOAL = 'goal'
GOAL_MARKER = 'goal_marker'
OBSERVATION = 'observation'
EPISODE = 'episode'
OUTCOME = 'outcome'
CHECKPOINT = 'checkpoint'
STEPS = 'steps'
ACTIVATIONS = 'activations'

_LAYER = re.compile(r'input|hidden_[1-9][0-9]{0,3}|output')

EPISODE_FIELDS = ('number', 'goal_x', 'goal_z', 'steps', 'final_reward', 'success')
OUTCOME_FIELDS = ('number', 'return', 'success', 'terminated')

_MOST_DIMENSIONS = 4
_LONGEST_PATH, _LONGEST_NAME = 4095, 255  # bytes, of Linux
LARGEST_COUNT = 2**53
"""Largest integer up to which all integers are exact in double precision."""

_FLOAT32_ARRAY = 'std_msgs/msg/Float32MultiArray'
_FLOAT64_ARRAY = 'std_msgs/msg/Float64MultiArray'
_MESSAGE_TYPES: dict[str, tuple[str, ...]] = {
    JOINT_STATES: ('sensor_msgs/msg/JointState',),
    COMMANDS: (_FLOAT64_ARRAY,),
    # One arm has a goal, a fleet has one for each arm.
    GOAL: ('geometry_msgs/msg/PointStamped', 'geometry_msgs/msg/PoseArray'),
    OBSERVATION: (_FLOAT32_ARRAY,),
    EPISODE: (_FLOAT64_ARRAY,),
    OUTCOME: (_FLOAT64_ARRAY,),
    CHECKPOINT: ('std_msgs/msg/String',),
    STEPS: ('std_msgs/msg/Header',),
}


class LayoutError(ValueError):
    """A message does not have the layout of its topic."""


def layer_names(hidden_layers: int) -> tuple[str, ...]:
    """Return the names of a network's layers, ``input``, ``hidden_1`` and so on, ``output``."""
    hidden = (f'hidden_{number}' for number in range(1, hidden_layers + 1))
    return ('input', *hidden, 'output')


def depth(layer: str) -> tuple[int, int]:
    """Return a sort key for the name of a layer: its position in the network."""
    if layer == 'output':
        return 2, 0
    number = layer.rpartition('_')[2]
    return (1, int(number)) if number.isdecimal() else (0, 0)


def activation_topic(layer: str) -> str:
    """Return the topic of one layer's activations."""
    return f'{ACTIVATIONS}/{layer}'


def recorded_topics(hidden_layers: int) -> tuple[str, ...]:
    """Return the topics that a bag contains: the motion of the arm, and the activations."""
    layers = tuple(activation_topic(layer) for layer in layer_names(hidden_layers))
    return (JOINT_STATES, COMMANDS, GOAL, OBSERVATION, *layers, EPISODE, CHECKPOINT)


def inspected_topics(hidden_layers: int) -> tuple[str, ...]:
    """Return the topics of a policy on a robot: its activations, and when they were computed."""
    layers = tuple(activation_topic(layer) for layer in layer_names(hidden_layers))
    return (OBSERVATION, STEPS, *layers, EPISODE, CHECKPOINT)


def message_types(topic: str) -> tuple[str, ...]:
    """Return the message types that a relative topic may have; empty for topics never recorded."""
    if (layer := layer_of(topic)) is not None and topic == activation_topic(layer):
        return (_FLOAT32_ARRAY,)
    return _MESSAGE_TYPES.get(topic, ())


def project_topic(recorded: str, msgtype: str) -> tuple[str, str] | None:
    """Return namespace and relative name of a recorded topic of this project, else None.

    Other programs may use the same name for messages of another type, and even for messages of the
    same type with another layout; the `read_...` functions raise `LayoutError` for these.

    Returns:
        The namespace as `/name`, or empty; and the name as in `recorded_topics`.
    """
    for slashes in (1, 2):
        parts = f'/{recorded.lstrip("/")}'.rsplit('/', slashes)
        name = '/'.join(parts[1:])
        if msgtype in message_types(name):
            return parts[0], name
    return None


def layer_of(recorded: str) -> str | None:
    """Return the layer of a recorded topic of activations, in any namespace; else None."""
    parents, _, layer = recorded.rpartition('/')
    return layer if is_topic(parents, ACTIVATIONS) and _LAYER.fullmatch(layer) else None


def is_topic(recorded: str, name: str) -> bool:
    """Tell whether a recorded topic is ``name``, in any namespace."""
    return f'/{recorded}'.endswith(f'/{name.lstrip("/")}')


def fill_multiarray(
    message: Any,
    dimension_type: Callable[..., Any],
    values: npt.NDArray[Any],
    labels: Sequence[str],
    prefix: Sequence[float] = (),
) -> None:
    """Put ``prefix`` and ``values`` into a Float32MultiArray or Float64MultiArray.

    Meant for a message object that is reused: its dimensions are created again only when the shape
    changes.

    Args:
        message: the multi-array to fill.
        dimension_type: the ``MultiArrayDimension`` class of the message's library.
        values: array of any shape, stored in C order.
        labels: one name for each dimension of ``values``.
        prefix: numbers before the values; must be exact in the message's precision.

    Raises:
        LayoutError: labels and dimensions differ in number, or a prefix entry is not exact.
    """
    if len(labels) != values.ndim:
        raise LayoutError(f'{values.ndim} dimensions cannot carry the labels {tuple(labels)}')
    for_rosbags = isinstance(message.data, np.ndarray)
    code = message.data.dtype.char if for_rosbags else message.data.typecode
    data = array.array(code, prefix)
    if data.tolist() != list(prefix):
        raise LayoutError(f'prefix {tuple(prefix)} is not exact in the precision of the message')
    flat = np.ascontiguousarray(values, dtype=code).reshape(-1)
    data.frombytes(flat.view(np.uint8).data)
    layout = message.layout
    layout.data_offset = len(prefix)
    if [(dim.label, dim.size) for dim in layout.dim] != list(
        zip(labels, values.shape, strict=True)
    ):
        layout.dim = [
            dimension_type(label=label, size=size, stride=stride)
            for label, size, stride in zip(
                labels, values.shape, _strides(values.shape), strict=True
            )
        ]
    # The setter of rclpy would check and copy a list or an ndarray entry by entry.
    message.data = np.frombuffer(data, dtype=code) if for_rosbags else data


def read_multiarray(message: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Read a message filled by `fill_multiarray`, without copying the values.

    Returns:
        The prefix (data_offset,), and the values in the shape of the dimensions and the precision
        of the message; (entries,) when the message names no dimensions.

    Raises:
        LayoutError: not a multi-array of floats, or offset, sizes, strides and data disagree.
    """
    try:
        data = np.asarray(message.data)
        offset = message.layout.data_offset
        shape = tuple(dim.size for dim in message.layout.dim)
        strides = tuple(dim.stride for dim in message.layout.dim)
    except AttributeError:
        raise LayoutError(f'{type(message).__name__} is not a multi-array message') from None
    if data.ndim != 1 or data.dtype.kind != 'f':
        raise LayoutError('the data are not a flat list of floats')
    if offset > data.size:
        raise LayoutError(f'data_offset is {offset}, but there are only {data.size} entries')
    prefix, values = data[:offset].astype(np.float64), data[offset:]
    if not shape:
        return prefix, values
    if len(shape) > _MOST_DIMENSIONS:
        raise LayoutError(f'{len(shape)} dimensions are too many')
    expected = _strides(shape)
    if expected[0] != values.size:
        raise LayoutError(
            f'dimensions {shape} take {expected[0]} entries, the message holds {values.size}'
        )
    # Strides of zero, as some publishers leave them, mean C order.
    if any(given not in (0, right) for given, right in zip(strides, expected, strict=True)):
        raise LayoutError(f'strides {strides} of dimensions {shape} are not C order {expected}')
    try:
        return prefix, values.reshape(shape)
    except ValueError:  # one dimension is zero and others are far too large
        raise LayoutError(f'dimensions {shape} are impossible') from None


def _strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides as std_msgs/MultiArrayLayout defines them: entries from a dimension on."""
    strides = []
    entries = 1
    for size in reversed(shape):
        entries *= int(size)
        strides.append(entries)
    return tuple(reversed(strides))


class FleetStep(NamedTuple):
    """One control cycle of all arms; arm ``a`` is in episode ``episode + a``."""

    episode: int
    step: int
    values: npt.NDArray[Any]


def fill_fleet_step(
    message: Any,
    dimension_type: Callable[..., Any],
    values: npt.NDArray[Any],
    episode: int,
    step: int,
    label: str = 'neuron',
) -> None:
    """Fill an activation (or, with ``label='feature'``, observation) message.

    Args:
        message: Float32MultiArray to fill.
        dimension_type: the ``MultiArrayDimension`` class of the message's library.
        values: (arms, neurons).
        episode: number of the first arm's episode, at most 2**24.
        step: control cycle within the episode, from 0.
        label: name of the second dimension.

    Raises:
        LayoutError: ``values`` is not two-dimensional, or a number is too large for float32.
    """
    fill_multiarray(message, dimension_type, values, ('arm', label), (episode, step))


def read_fleet_step(message: Any) -> FleetStep:
    """Read an activation or observation message.

    Returns:
        Episode of the first arm, step from 0, values (arms, neurons) in float32.

    Raises:
        LayoutError: the message has another layout.
    """
    prefix, values = read_multiarray(message)
    if prefix.size != 2 or values.ndim != 2 or not values.size:
        raise LayoutError(
            f'expected [episode, step] and (arm, neuron), got {prefix.size} entries '
            f'before the values and {values.ndim} dimensions'
        )
    return FleetStep(_count(prefix[0], 'episode'), _count(prefix[1], 'step'), values)


def _count(entry: float, name: str) -> int:
    if not (0 <= entry <= LARGEST_COUNT and float(entry).is_integer()):
        raise LayoutError(f'{name} is {entry}, which is not a count')
    return int(entry)


def fill_episodes(
    message: Any, dimension_type: Callable[..., Any], results: npt.NDArray[np.float64]
) -> None:
    """Fill a Float64MultiArray with the results of finished episodes.

    Args:
        message: Float64MultiArray to fill.
        dimension_type: the ``MultiArrayDimension`` class of the message's library.
        results: (episodes, fields), columns as in ``EPISODE_FIELDS``; goals in m, success 0 or 1;
            NaN where they are unknown.

    Raises:
        LayoutError: another shape.
    """
    _fill_rows(message, dimension_type, results, EPISODE_FIELDS)


def fill_outcomes(
    message: Any, dimension_type: Callable[..., Any], outcomes: npt.NDArray[np.float64]
) -> None:
    """Fill a Float64MultiArray with what else is known of finished episodes.

    It accompanies `fill_episodes`, whose layout older versions require.

    Args:
        message: Float64MultiArray to fill.
        dimension_type: the ``MultiArrayDimension`` class of the message's library.
        outcomes: (episodes, fields), columns as in ``OUTCOME_FIELDS``; NaN where one is unknown.

    Raises:
        LayoutError: another shape.
    """
    _fill_rows(message, dimension_type, outcomes, OUTCOME_FIELDS)


def _fill_rows(
    message: Any,
    dimension_type: Callable[..., Any],
    rows: npt.NDArray[np.float64],
    fields: tuple[str, ...],
) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(fields):
        raise LayoutError(f'results of shape {rows.shape}, not (episodes, {fields})')
    fill_multiarray(message, dimension_type, rows, ('episode', 'field'))


def read_episodes(message: Any) -> npt.NDArray[np.float64]:
    """Read results of finished episodes: (episodes, fields), columns as in ``EPISODE_FIELDS``.

    Raises:
        LayoutError: the message has another layout.
    """
    values = _read_rows(message, EPISODE_FIELDS, counts=('number', 'steps'))
    success = values[:, EPISODE_FIELDS.index('success')]
    if not (np.isin(success, (0.0, 1.0)) | np.isnan(success)).all():
        raise LayoutError('the success of an episode is neither 0 nor 1, nor unknown (NaN)')
    return values


def read_outcomes(message: Any) -> npt.NDArray[np.float64]:
    """Read outcomes of finished episodes: (episodes, fields), columns as in ``OUTCOME_FIELDS``.

    Raises:
        LayoutError: the message has another layout.
    """
    values = _read_rows(message, OUTCOME_FIELDS, counts=('number',))
    known = values[:, 2:]
    if not (np.isin(known, (0.0, 1.0)) | np.isnan(known)).all():
        raise LayoutError('the success or the end of an episode is neither 0 nor 1')
    return values


def _read_rows(
    message: Any, fields: tuple[str, ...], counts: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    prefix, values = read_multiarray(message)
    if prefix.size or values.ndim != 2 or values.shape[1] != len(fields):
        raise LayoutError(f'expected (episode, field) with the fields {fields}')
    whole = values[:, [fields.index(name) for name in counts]]
    if not ((whole >= 0) & (whole <= LARGEST_COUNT) & (whole == np.floor(whole))).all():
        raise LayoutError(f'the {" or the ".join(counts)} of an episode are not counts')
    return values.astype(np.float64, copy=False)


def fill_commands(
    message: Any,
    dimension_type: Callable[..., Any],
    joint_angles: npt.NDArray[np.float64],
    sequence: int | None = None,
) -> None:
    """Fill a Float64MultiArray with target joint angles.

    Args:
        message: Float64MultiArray to fill.
        dimension_type: the ``MultiArrayDimension`` class of the message's library.
        joint_angles: (arms, joints), rad.
        sequence: number of the command, by which the arm detects lost and repeated commands.

    Raises:
        LayoutError: ``joint_angles`` is not two-dimensional.
    """
    prefix = () if sequence is None else (sequence,)
    fill_multiarray(message, dimension_type, joint_angles, ('arm', 'joint'), prefix)


def read_commands(message: Any) -> tuple[int | None, npt.NDArray[np.float64]]:
    """Read target joint angles.

    Returns:
        The sequence number or None, and the angles (arms, joints) in rad. Data without a layout,
        as sent by publishers for a ros2_control position controller, belong to one arm.

    Raises:
        LayoutError: the message has another layout.
    """
    prefix, values = read_multiarray(message)
    if prefix.size > 1 or values.ndim > 2:
        raise LayoutError(
            f'expected at most a sequence number and (arm, joint), got {prefix.size} entries '
            f'before the values and {values.ndim} dimensions'
        )
    sequence = _count(prefix[0], 'sequence') if prefix.size else None
    joint_angles = values if values.ndim == 2 else values[np.newaxis]
    return sequence, joint_angles.astype(np.float64, copy=False)


class CheckpointMessage(NamedTuple):
    """The announcement on the ``checkpoint`` topic of which weights are in use.

    Attributes:
        path: folder of the newest ones.
        version: counts the checkpoints.
        first_episode: the first episode that was played with these weights.
        network: content digest of the weights; None in messages of older versions.
        episodes: number of requested sample episodes; None if there was none or it is unknown.
    """

    path: str
    version: int
    first_episode: int
    network: str | None = None
    episodes: int | None = None


def _is_path(text: str) -> bool:
    """Tell whether Linux allows a path of that length; only then the file system is queried."""
    path = text.encode(errors='replace')
    longest = max(map(len, path.split(b'/')))
    return 0 < len(path) <= _LONGEST_PATH and longest <= _LONGEST_NAME


def encode_checkpoint(checkpoint: CheckpointMessage) -> str:
    """Text of a ``checkpoint`` message: a JSON object with the fields that are not None."""
    fields = checkpoint._asdict()
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def decode_checkpoint(text: str) -> CheckpointMessage:
    """Read the text of a ``checkpoint`` message.

    Raises:
        LayoutError: not a JSON object with the fields of `CheckpointMessage`.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LayoutError(f'checkpoint message is not JSON: {error}') from None
    needed = set(CheckpointMessage._fields) - CheckpointMessage._field_defaults.keys()
    if not isinstance(fields, dict) or not needed <= set(fields) <= set(CheckpointMessage._fields):
        raise LayoutError(
            f'checkpoint message must hold {CheckpointMessage._fields}, got {text[:80]!r}'
        )
    if not isinstance(fields['path'], str) or not _is_path(fields['path']):
        raise LayoutError(f'checkpoint path must be that of a folder, got {fields["path"]!r:.80}')
    for name in fields.keys() & {'version', 'first_episode', 'episodes'}:
        if type(fields[name]) is not int or not 0 <= fields[name] <= LARGEST_COUNT:
            raise LayoutError(f'checkpoint {name} must be a count, got {fields[name]!r}')
    if not re.fullmatch('[0-9a-f]{64}', str(fields.get('network', '0' * 64))):
        raise LayoutError(f'checkpoint network must be a digest, got {fields["network"]!r}')
    return CheckpointMessage(**fields)
