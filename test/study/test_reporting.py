# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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
