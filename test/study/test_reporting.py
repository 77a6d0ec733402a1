from neuron_reach.study.engine import runner
from neuron_reach.study.reporting import make_report
from study.tiny import TINY


def test_a_report_of_fewer_networks_is_marked_in_every_section_and_figure(easy, done):
    store, plans = done
    report = make_report(
        'all', TINY, list(plans.values()), store, runner.Outcome([], []), 'command'
    )
    assert len(report.sections) == len(plans)
    assert all(section.title.endswith('(quick)') for section in report.sections)
    assert report.mark.startswith('quick: 2 networks per condition')
