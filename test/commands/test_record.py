# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""`neuron_reach record`."""

from neuron_reach.launching import graph


def test_the_graph_of_this_name_is_started(command, run_dir, ros, started):
    assert command('record', f'run_dir:={run_dir}', 'record:=2') == (0, '', '')
    assert started == [graph.build('record', {'run_dir': str(run_dir), 'record': '2'})]


def test_the_usage_shows_both_ways(help_of):
    text = ' '.join(help_of('record').split())
    assert 'usage: neuron_reach record [-h] [name:=value ...] neuron_reach record POLICY' in text


def test_a_policy_file_that_is_missing_is_called_a_file(tmp_path, refused):
    policy = tmp_path / 'policy.zip'
    refused('record', policy, '--env', 'Pendulum-v1', '-o', tmp_path, words=['no such file'])
