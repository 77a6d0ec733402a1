# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arguments of `neuron_reach recording`; test/workflows/test_record.py tests its work."""

import pytest
from recordings import keep, record


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('kep bag checkpoint 3', "must be one of keep, check, not 'kep' (did you mean keep?)"),
        ('keep bag checkpoint few', "argument episodes: must be a whole number, not 'few'"),
    ],
)
def test_an_unusable_word_is_reported_in_one_line(arguments, message, refusal):
    assert message in refusal('recording', *arguments.split())


def test_a_recording_is_described_only_if_asked_for(command, run_dir):
    record(run_dir, run_dir / 'bag.partial')
    assert command(*keep(run_dir)) == (0, '', '')
    (run_dir / 'bag').rename(run_dir / 'bag.partial')
    code, text, _ = command(*keep(run_dir), '--info', run_dir / 'bag')
    assert code == 0
    assert text == command('info', run_dir / 'bag')[1]
