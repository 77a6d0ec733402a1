# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

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
