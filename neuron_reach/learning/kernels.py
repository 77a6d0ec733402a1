# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The arithmetic of learning, compiled: for networks this small, calls cost more than numbers.

All arrays are C-contiguous and of one precision. The parameters of a network lie in one row: for
every layer the weights (out, in), then the biases (out,), then padding. `sizes` are the neurons of
its layers. `layers` is a flat buffer with the activations of every layer, (batch, neurons) each,
input first. Matrix products are BLAS's. Each member of a stack is dealt with on its own, so that
it learns what it would learn alone, and while its numbers are in the cache.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from neuron_reach.common.arrays import AnyArray

SMALL = 8192
"""Weights of a layer up to which it pays to turn them into the order that BLAS likes best."""

NEGLIGIBLE = -30.0
"""Exponent of a probability, relative to the largest, that no draw can tell from zero."""


def use_one_core() -> None:
    """Keep torch and BLAS from spreading small matrix products over the cores of this process."""
    import scipy.linalg.cython_blas  # noqa: F401  # what numba calls has to be loaded by now
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


@numba.njit(cache=True)
def forward(
    parameters: AnyArray, sizes: AnyArray, batch: int, layers: AnyArray, depth: int
) -> None:
    """Fill in the activations of the first `depth` layers behind the input, of one network."""
    last = len(sizes) - 2
    start, place = 0, 0
    for layer in range(depth):
        fan_in, out = sizes[layer], sizes[layer + 1]
        end = start + out * fan_in
        weight = parameters[start:end].reshape(out, fan_in)
        bias = parameters[end : end + out]
        start = end + out
        behind = place + batch * fan_in
        before = layers[place:behind].reshape(batch, fan_in)
        values = layers[behind : behind + batch * out].reshape(batch, out)
        place = behind
        if weight.size <= SMALL:
            np.dot(before, weight.T.copy(), values)
        else:
            np.dot(before, weight.T, values)
        for row in range(batch):
            for neuron in range(out):
                value = values[row, neuron] + bias[neuron]
                values[row, neuron] = value if layer == last or value > 0 else 0


@numba.njit(cache=True)
def _outputs(parameters: AnyArray, sizes: AnyArray, observations: AnyArray) -> AnyArray:
    """Return one network's outputs, (batch, outputs), for observations (batch, inputs)."""
    batch = len(observations)
    layers = np.empty(batch * sizes.sum(), parameters.dtype)
    layers[: observations.size] = observations.reshape(-1)
    forward(parameters, sizes, batch, layers, len(sizes) - 1)
    return layers[layers.size - batch * sizes[-1] :].reshape(batch, sizes[-1])


@numba.njit(cache=True)
def outputs(parameters: AnyArray, sizes: AnyArray, observations: AnyArray) -> AnyArray:
    """Return the outputs of a stack of networks.

    Args:
        parameters: (members, parameters).
        sizes: (members, layers).
        observations: (members, batch, inputs).

    Returns:
        (members, batch, outputs).
    """
    members, batch = observations.shape[:2]
    values = np.empty((members, batch, sizes[0, -1]), parameters.dtype)
    for member in range(members):
        values[member] = _outputs(parameters[member], sizes[member], observations[member])
    return values


@numba.njit(cache=True, fastmath={'reassoc', 'contract'})  # sums in any order: vector operations
def _output_gradient(
    hidden: AnyArray,
    weight: AnyArray,
    bias: AnyArray,
    actions: AnyArray,
    targets: AnyArray,
    gradient: AnyArray,
) -> AnyArray:
    """Write the gradient of the mean squared error of one network's output layer.

    Only the output of the action taken has an error, so that there is no matrix product.

    Args:
        hidden: activations of the layer before, (batch, fan_in).
        weight: (actions, fan_in).
        bias: (actions,).
        actions: taken, (batch,).
        targets: what Q of them should be, (batch,).
        gradient: weights, then biases; overwritten.

    Returns:
        The derivative by `hidden`, (batch, fan_in).
    """
    batch, fan_in = hidden.shape
    back = np.empty_like(hidden)
    gradient[:] = 0
    for row in range(batch):
        action = actions[row]
        value = bias[action]
        for neuron in range(fan_in):
            value += hidden[row, neuron] * weight[action, neuron]
        slope = hidden.dtype.type(2.0 / batch) * (value - targets[row])
        gradient[weight.size + action] += slope
        own = gradient[action * fan_in : (action + 1) * fan_in]
        for neuron in range(fan_in):
            own[neuron] += slope * hidden[row, neuron]
            back[row, neuron] = slope * weight[action, neuron]
    return back


@numba.njit(cache=True)
def backward(
    parameters: AnyArray,
    sizes: AnyArray,
    layers: AnyArray,
    actions: AnyArray,
    targets: AnyArray,
    gradient: AnyArray,
) -> None:
    """Write the gradient of mean((Q(x, a) - target)^2) into `gradient`, for one network.

    Args:
        parameters: (parameters,).
        sizes: neurons per layer.
        layers: as `forward` left them; the output layer is not needed.
        actions: taken, (batch,).
        targets: what Q of them should be, (batch,).
        gradient: laid out like `parameters`; overwritten.
    """
    batch, last = len(targets), len(sizes) - 2
    end = ((sizes[:-1] + 1) * sizes[1:]).sum()
    place = batch * sizes[:-1].sum()
    delta = np.empty((0, 0), parameters.dtype)
    for layer in range(last, -1, -1):
        fan_in, out = sizes[layer], sizes[layer + 1]
        middle = end - out
        start = middle - out * fan_in
        weight = parameters[start:middle].reshape(out, fan_in)
        before = layers[place - batch * fan_in : place].reshape(batch, fan_in)
        place -= batch * fan_in
        if layer == last:
            bias = parameters[middle:end]
            part = gradient[start:end]
            delta = _output_gradient(before, weight, bias, actions, targets, part)
        else:
            np.dot(delta.T, before, gradient[start:middle].reshape(out, fan_in))
            biases = gradient[middle:end]
            biases[:] = 0
            for row in range(batch):
                for neuron in range(out):
                    biases[neuron] += delta[row, neuron]
            if layer > 0:
                further = np.empty((batch, fan_in), delta.dtype)
                np.dot(delta, weight, further)
                delta = further
        if layer > 0:
            for row in range(batch):
                for neuron in range(fan_in):
                    delta[row, neuron] = delta[row, neuron] if before[row, neuron] > 0 else 0
        end = start


@numba.njit(cache=True, error_model='numpy')  # no test for zero: vector operations
def _adam_step(
    parameters: AnyArray,
    gradient: AnyArray,
    first: AnyArray,
    second: AnyArray,
    betas: tuple[float, float],
    epsilon: float,
    step: float,
) -> None:
    """Do one step of Adam (Kingma and Ba 2015), all arrays (parameters,), in place."""
    kind = parameters.dtype.type
    keep_mean, keep_square = kind(betas[0]), kind(betas[1])
    new_mean, new_square = kind(1.0 - betas[0]), kind(1.0 - betas[1])
    small, size = kind(epsilon), kind(step)
    for index in range(parameters.size):
        slope = gradient[index]
        mean = keep_mean * first[index] + new_mean * slope
        square = keep_square * second[index] + new_square * slope * slope
        first[index], second[index] = mean, square
        parameters[index] -= size * mean / (np.sqrt(square) + small)


@numba.njit(cache=True)
def learn(
    online: AnyArray,
    target: AnyArray,
    gradient: AnyArray,
    moments: tuple[AnyArray, AnyArray],
    sizes: AnyArray,
    batch: tuple[AnyArray, AnyArray, AnyArray, AnyArray],
    gamma: float,
    betas: tuple[float, float],
    epsilon: float,
    steps: AnyArray,
    rate: float,
) -> None:
    """Do one update of a stack of networks by deep Q-learning, in place.

    Args:
        online: (members, parameters), changed by a step of Adam on the mean squared
            temporal-difference error.
        target: target networks, moved towards the online ones.
        gradient: overwritten.
        moments: running means of the gradient and its square, changed.
        sizes: (members, layers).
        batch: observations (members, batch, inputs), actions (members, batch), rewards
            (members, batch), observations that followed.
        gamma: discount factor.
        betas: what of the two running means stays.
        epsilon: added to the root of the second.
        steps: how far to go, (members,); epsilon and steps are corrected for the means' start at
            zero by the caller.
        rate: share of the way that target networks move.
    """
    observations, actions, rewards, following = batch
    members, rows, inputs = observations.shape
    kind = online.dtype.type
    share, discount = kind(rate), kind(gamma)
    for member in range(members):
        own = sizes[member]
        values = _outputs(target[member], own, following[member])
        targets = np.empty(rows, online.dtype)
        for row in range(rows):
            targets[row] = rewards[member, row] + discount * values[row].max()
        layers = np.empty(rows * own[:-1].sum(), online.dtype)
        layers[: rows * inputs] = observations[member].reshape(-1)
        forward(online[member], own, rows, layers, len(own) - 2)
        backward(online[member], own, layers, actions[member], targets, gradient[member])
        _adam_step(
            online[member],
            gradient[member],
            moments[0][member],
            moments[1][member],
            betas,
            epsilon,
            steps[member],
        )
        slow, fast = target[member], online[member]
        for index in range(slow.size):
            slow[index] += share * (fast[index] - slow[index])


@numba.njit(cache=True)
def gather(
    rows: AnyArray,
    index: AnyArray,
    before: AnyArray,
    actions: AnyArray,
    rewards: AnyArray,
    after: AnyArray,
) -> None:
    """Copy transitions out of a replay memory.

    Args:
        rows: (members, capacity, 2 inputs + 2): observation, next observation, reward, action.
        index: which ones, (members, batch).
        before: filled with observations, (members, batch, inputs).
        actions: filled, (members, batch).
        rewards: filled, (members, batch).
        after: filled with next observations, (members, batch, inputs).
    """
    members, batch, inputs = before.shape
    for member in range(members):
        for place in range(batch):
            row = rows[member, index[member, place]]
            before[member, place] = row[:inputs]
            after[member, place] = row[inputs : 2 * inputs]
            rewards[member, place] = row[2 * inputs]
            actions[member, place] = int(row[2 * inputs + 1])


@numba.njit(cache=True)
def draw_actions(q_values: AnyArray, temperature: float, draws: AnyArray) -> AnyArray:
    """Draw from softmax(Q / T) by where `draws` in [0, 1) lie in the cumulated probabilities.

    Args:
        q_values: (members, arms, actions).
        temperature: T.
        draws: (members, arms).

    Returns:
        Actions, (members, arms).
    """
    chosen = np.zeros(draws.shape, np.int64)
    cumulated = np.empty(q_values.shape[2])
    for member in range(draws.shape[0]):
        for arm in range(draws.shape[1]):
            values = q_values[member, arm]
            largest, total = values.max(), 0.0
            for action in range(values.size):
                exponent = (values[action] - largest) / temperature
                if exponent > NEGLIGIBLE:
                    total += math.exp(exponent)
                cumulated[action] = total
            action = 0
            while cumulated[action] <= draws[member, arm] * total and action < values.size - 1:
                action += 1
            chosen[member, arm] = action
    return chosen
