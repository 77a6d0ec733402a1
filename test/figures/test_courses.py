# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import numpy as np
import pytest

from neuron_reach.analysis.intervals import mean_interval
from neuron_reach.figures.courses import Panel, courses

NAN = float('nan')


def test_a_line_holds_means_and_intervals_of_the_networks_that_have_a_value():
    values = np.array([[1.0, 5.0, NAN], [2.0, NAN, NAN], [6.0, 9.0, NAN]])
    axis = courses([Panel('x', 'y', (0.0, 1.0, 2.0), {'ours': values})]).axes[0]
    ((line, caps, _),) = axis.containers
    low, high = (cap.get_ydata() for cap in caps)
    for place, column in enumerate(([1.0, 2.0, 6.0], [5.0, 9.0])):
        interval = mean_interval(column)
        drawn = [line.get_ydata()[place], low[place], high[place]]
        assert drawn == pytest.approx([interval.value, interval.low, interval.high])
    assert np.isnan(line.get_ydata()[2])
