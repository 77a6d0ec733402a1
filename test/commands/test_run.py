# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach run`."""

from neuron_reach.launching import graph


def test_the_graph_of_this_name_is_started(command, run_dir, ros, started):
    assert command('run', f'run_dir:={run_dir}', 'record:=2') == (0, '', '')
    assert started == [graph.build('run', {'run_dir': str(run_dir), 'record': '2'})]


def test_the_help_says_that_nothing_is_recorded_by_default(help_of):
    assert 'default 0)' in help_of('run').partition('record ')[2].partition('backend')[0]
