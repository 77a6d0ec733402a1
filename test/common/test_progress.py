from neuron_reach.common.progress import ProgressBars


def test_every_new_work_begins_a_new_count(capsys):
    with ProgressBars() as bars:
        bars('one', 1, 2, 'parts', 'a note')
        bars('one', 2, 2, 'parts')
        bars('two', 5)
        bars('two', 6)  # too soon for another line
        bars.close()
        bars('two', 7)
    assert capsys.readouterr().out.splitlines() == [
        'one: 1 of 2 parts, a note',
        'one: 2 of 2 parts',
        'two: 5 episodes',
        'two: 7 episodes',
    ]


def test_what_never_begins_shows_nothing(capsys):
    with ProgressBars():
        pass
    assert capsys.readouterr() == ('', '')
