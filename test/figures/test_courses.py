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
