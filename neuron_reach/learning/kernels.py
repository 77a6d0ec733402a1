"""The arithmetic of learning, compiled: for networks this small, calls cost more than numbers.

All arrays are C-contiguous and of one precision. `parameters` holds a network per row: for every
layer the weights (out, in), then the biases (out,), then padding. `sizes` are the neurons of every
layer, (members, layers). `layers` is one flat buffer with the activations: layer by layer, input
first, of every member, (batch, neurons). `starts`, (members, layers), is where they begin, in
numbers by row of a batch. Matrix products are BLAS's; each member's are its own, so that it learns
in a stack what it would learn alone.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

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
def _layer(layers: Array, start: int, batch: int, neurons: int) -> Array:
    """Return one member's activations of one layer, (batch, neurons); a view."""
    return layers[batch * start : batch * (start + neurons)].reshape(batch, neurons)


@numba.njit(cache=True)
def forward(
    parameters: Array, sizes: Array, starts: Array, batch: int, layers: Array, depth: int
) -> None:
    """Fill in the activations of the first `depth` layers behind the input."""
    last = sizes.shape[1] - 2
    for member in range(len(parameters)):
        start = 0
        for layer in range(depth):
            fan_in, out = sizes[member, layer], sizes[member, layer + 1]
            end = start + out * fan_in
            weight = parameters[member, start:end].reshape(out, fan_in)
            bias = parameters[member, end : end + out]
            start = end + out
            before = _layer(layers, starts[member, layer], batch, fan_in)
            values = _layer(layers, starts[member, layer + 1], batch, out)
            if weight.size <= SMALL:
                np.dot(before, weight.T.copy(), values)
            else:
                np.dot(before, weight.T, values)
            for row in range(batch):
                for neuron in range(out):
                    value = values[row, neuron] + bias[neuron]
                    values[row, neuron] = value if layer == last or value > 0 else 0


@numba.njit(cache=True, fastmath={'reassoc', 'contract'})  # sums in any order: vector operations
def output_gradient(
    hidden: Array, weight: Array, bias: Array, actions: Array, targets: Array, gradient: Array
) -> Array:
    """Write the gradient of the mean squared error of one member's output layer.

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
    parameters: Array,
    sizes: Array,
    starts: Array,
    layers: Array,
    actions: Array,
    targets: Array,
    gradient: Array,
) -> None:
    """Write the gradient of mean((Q(x, a) - target)^2) into `gradient`, laid out like `parameters`.

    Args:
        parameters: of the networks.
        sizes: neurons per layer.
        starts: see above.
        layers: as `forward` left them; the output layer is not needed.
        actions: taken, (members, batch).
        targets: what Q of them should be, (members, batch).
        gradient: overwritten.
    """
    members, batch = targets.shape
    last = sizes.shape[1] - 2
    for member in range(members):
        end = ((sizes[member, :-1] + 1) * sizes[member, 1:]).sum()
        delta = np.empty((0, 0), parameters.dtype)
        for layer in range(last, -1, -1):
            fan_in, out = sizes[member, layer], sizes[member, layer + 1]
            middle = end - out
            start = middle - out * fan_in
            weight = parameters[member, start:middle].reshape(out, fan_in)
            before = _layer(layers, starts[member, layer], batch, fan_in)
            if layer == last:
                delta = output_gradient(
                    before,
                    weight,
                    parameters[member, middle:end],
                    actions[member],
                    targets[member],
                    gradient[member, start:end],
                )
            else:
                np.dot(delta.T, before, gradient[member, start:middle].reshape(out, fan_in))
                biases = gradient[member, middle:end]
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


@numba.njit(cache=True)
def td_targets(following: Array, rewards: Array, gamma: float) -> Array:
    """Return r + gamma max Q of the states that followed, (members, batch).

    Args:
        following: target network's Q, (members, batch, actions).
        rewards: (members, batch).
        gamma: discount factor.
    """
    targets = np.empty_like(rewards)
    share = rewards.dtype.type(gamma)
    for member in range(targets.shape[0]):
        for row in range(targets.shape[1]):
            targets[member, row] = rewards[member, row] + share * following[member, row].max()
    return targets


@numba.njit(cache=True, error_model='numpy')  # no test for zero: vector operations
def adam_step(
    parameters: Array,
    gradient: Array,
    first: Array,
    second: Array,
    betas: tuple[float, float],
    epsilon: float,
    steps: Array,
) -> None:
    """Do one step of Adam (Kingma and Ba 2015), all arrays (members, parameters), in place.

    Args:
        parameters: changed.
        gradient: of the loss.
        first: running mean of the gradient, changed.
        second: running mean of its square, changed.
        betas: what of the two means stays.
        epsilon: added to the root of the second.
        steps: how far to go, (members,); both are corrected for the means' start at zero by the
            caller.
    """
    kind = parameters.dtype.type
    keep_mean, keep_square = kind(betas[0]), kind(betas[1])
    new_mean, new_square = kind(1.0 - betas[0]), kind(1.0 - betas[1])
    small = kind(epsilon)
    for member in range(len(parameters)):
        size = kind(steps[member])
        values, slopes = parameters[member], gradient[member]
        means, squares = first[member], second[member]
        for index in range(values.size):
            slope = slopes[index]
            mean = keep_mean * means[index] + new_mean * slope
            square = keep_square * squares[index] + new_square * slope * slope
            means[index], squares[index] = mean, square
            values[index] -= size * mean / (np.sqrt(square) + small)


@numba.njit(cache=True)
def approach(target: Array, online: Array, rate: float) -> None:
    """Move the target networks towards the online ones by a share of the way, in place."""
    slow, fast = target.reshape(-1), online.reshape(-1)
    share = slow.dtype.type(rate)
    for index in range(slow.size):
        slow[index] += share * (fast[index] - slow[index])


@numba.njit(cache=True)
def gather(
    rows: Array, index: Array, before: Array, actions: Array, rewards: Array, after: Array
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
def draw_actions(q_values: Array, temperature: float, draws: Array) -> Array:
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
