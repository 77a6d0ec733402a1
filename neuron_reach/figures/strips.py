# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Strip plots: one dot per network, groups side by side, the median as a bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

DOT, BAR = '#0072b2', '#000000'
"""Blue and black: distinguishable in print and for color-blind readers."""


def strips(groups: Mapping[str, Sequence[float]], label: str) -> Figure:
    """Draw the values of groups of networks.

    Args:
        groups: values, one per network, by the name of the group.
        label: of the axis of the values, with the unit.
    """
    figure = Figure(figsize=(max(4.0, 1.4 * len(groups)), 3.6), layout='constrained')
    axes = figure.subplots()
    for place, values in enumerate(groups.values()):
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(place + spread, sorted(values), 'o', ms=4, mfc='none', mec=DOT)
        if len(values):
            axes.hlines(float(np.median(values)), place - 0.3, place + 0.3, color=BAR, lw=2)
    axes.set_xticks(range(len(groups)), [name.replace(', ', '\n') for name in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.spines[['top', 'right']].set_visible(False)
    return figure
