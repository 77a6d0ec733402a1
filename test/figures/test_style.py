# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
from matplotlib.figure import Figure

from neuron_reach.errors import UserError
from neuron_reach.figures.style import save


def draw():
    figure = Figure()
    figure.subplots().plot([1, 3, 2], label='a')
    figure.axes[0].legend()
    return figure


def test_figures_are_png_and_svg_and_always_the_same(tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        files = save(draw(), tmp_path / folder / 'x_0.5')
        assert [file.name for file in files] == ['x_0.5.png', 'x_0.5.svg']
    assert files[0].read_bytes().startswith(b'\x89PNG')
    assert (tmp_path / 'a' / 'x_0.5.svg').read_bytes() == files[1].read_bytes()
    assert len(list(tmp_path.glob('b/*'))) == 2


def test_a_figure_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match='cannot be written'):
        save(draw(), tmp_path / 'nowhere' / 'x')
