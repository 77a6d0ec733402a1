# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Forward kinematics of a planar arm that moves in the vertical x-z plane (REP-103 axes)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def link_ends(joint_angles: ArrayLike, link_lengths: ArrayLike) -> NDArray[np.floating]:
    """Return the end points of all links.

    The first angle is measured from the x axis towards z (upright is pi/2), each other angle
    relative to the previous link: p_k = sum over i <= k of l_i (cos, sin)(theta_1 + ... + theta_i).

    Args:
        joint_angles: (..., n), rad.
        link_lengths: (n,), m.

    Returns:
        (..., n, 2), x and z of the end of every link, m; the last one is the tip.
    """
    absolute = np.cumsum(np.asarray(joint_angles), axis=-1)
    links = np.stack((np.cos(absolute), np.sin(absolute)), axis=-1)
    links *= np.asarray(link_lengths, dtype=links.dtype)[:, None]
    return np.cumsum(links, axis=-2)


def forward_kinematics(joint_angles: ArrayLike, link_lengths: ArrayLike) -> NDArray[np.floating]:
    """Return the tip positions p, (..., 2) in m, for joint angles (..., n) in rad."""
    absolute = np.cumsum(np.asarray(joint_angles), axis=-1)
    lengths = np.asarray(link_lengths, dtype=absolute.dtype)
    tip = np.zeros((*absolute.shape[:-1], 2), absolute.dtype)
    for joint, length in enumerate(lengths):  # NumPy is slow at sums of only a few numbers
        tip[..., 0] += length * np.cos(absolute[..., joint])
        tip[..., 1] += length * np.sin(absolute[..., joint])
    return tip
