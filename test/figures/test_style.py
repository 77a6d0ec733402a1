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
