# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recordings become bags when they are whole, and are used with their own network only."""

import shutil

import pytest
from recordings import EPISODES, keep, record

from neuron_reach.bags.seal import read_seal, seal
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest

pytestmark = pytest.mark.usefixtures('no_figures')


# --- becoming a bag -------------------------------------------------------------------------------


def test_a_whole_recording_is_sealed_and_named(run_dir, command, refused):
    record(run_dir, run_dir / 'bag.partial')
    (run_dir / 'bag').mkdir()  # left by a recording that failed
    code, text, _ = command(*keep(run_dir), '--info', run_dir)
    assert code == 0
    assert 'Episodes   6 of 6' in text
    assert 'The bag is complete.' in text
    assert text.splitlines()[-1] == 'It is of this network.'
    assert text.rstrip() == command('info', run_dir)[1].rstrip()
    assert not (run_dir / 'bag.partial').exists()
    network = load_checkpoint(run_dir / 'checkpoint').network
    sealed = read_seal(run_dir / 'bag')
    assert (sealed.episodes, sealed.network) == (EPISODES, network_digest(network))
    check = ['recording', 'check', *keep(run_dir)[2:4]]
    assert [command(*check, number)[0] for number in (0, EPISODES)] == [0, 0]
    file = run_dir / 'bag' / 'bag.partial.mcap'
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(*check, 0, words=[str(file), 'not as it was recorded', 'another run_dir'])
    file.rename(file.with_name('other.mcap'))
    refused(*check, 0, words=['bag.partial.mcap is missing', 'another run_dir'])


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'asked': 5000}, ['6 of 5000 episodes']),
        ({'asked': 5}, ['6 of 5 episodes']),
        ({'says': False}, ['does not say that 6 episodes']),
        ({'lost': [('output', 4, 59)]}, ['activations/output: 358 steps', '360']),
        ({'lost': [('observation', 2, 7)]}, ['observation: 1 steps missing']),
        ({'results': [0, 1, 2, 3, 4]}, ['5 of 6 episodes']),
        ({'results': [0, 1, 2, 3, 4, 5, 5]}, ['results of 1 episodes repeated']),
        ({'observations': False}, ['observation: nothing']),
        ({'first': 2}, ['6 of 6 episodes']),
        ({'order': lambda cycles: [*cycles, *cycles[:3]]}, ['3 repeated']),
    ],
)
def test_what_is_not_whole_stays_what_it_is(run_dir, refused, changes, words):
    record(run_dir, run_dir / 'bag.partial', **changes)
    refused(*keep(run_dir), words=['not whole', 'records it again', *words])
    assert not (run_dir / 'bag').exists()
    assert (run_dir / 'bag.partial').exists()


def test_a_recording_of_another_network_is_not_kept(run_dir, untrained, refused):
    record(run_dir, run_dir / 'bag.partial')
    words = ['recording', 'keep', run_dir / 'bag', untrained('other', seed=1).path, EPISODES]
    refused(*words, words=['not of', 'other'])
    shutil.rmtree(run_dir / 'bag.partial')
    refused(*keep(run_dir), words=['nothing was recorded'])


def test_unfinished_recordings_of_the_same_go_when_it_is_recorded(run_dir, untrained, command):
    record(run_dir, run_dir / 'bag.partial-1', results=[0, 1])
    (run_dir / 'bag.partial-2').mkdir()
    (run_dir / 'bag.partial-5').mkdir()
    (run_dir / 'bag.partial-5' / 'bag.partial.mcap').touch()  # on a full disk
    (run_dir / 'bag.partial-6').mkdir()
    (run_dir / 'bag.partial-6' / 'bag.partial.mcap').write_bytes(bytes(2**20))
    record(run_dir, run_dir / 'bag.partial-10')
    shutil.copytree(run_dir / 'bag.partial-1', run_dir / 'bag.partial-mine')
    record(run_dir, run_dir / 'bag.partial')
    assert command(*keep(run_dir))[0] == 0
    shutil.copytree(run_dir / 'bag', run_dir / 'bag.partial-4')  # sealed
    shutil.rmtree(run_dir / 'bag')
    record(untrained('other/checkpoint', seed=1).path.parent, run_dir / 'bag.partial-3')
    record(run_dir, run_dir / 'bag.partial')
    code, _, errors = command(*keep(run_dir))
    assert code == 0
    left = {item.name for item in run_dir.glob('bag*')}
    assert left == {'bag', *(f'bag.partial-{which}' for which in (3, 4, 6, 'mine'))}
    assert [line.split(':')[2].rpartition('/')[2] for line in errors.splitlines()] == [
        'bag.partial-3',
        'bag.partial-4',
        'bag.partial-6',
    ]


def test_a_seal_that_tells_something_else_is_not_believed(tmp_path, run_dir, command, refused):
    record(run_dir, run_dir / 'bag')
    own, bag = network_digest(load_checkpoint(run_dir / 'checkpoint').network), run_dir / 'bag'
    for episodes, network in ((EPISODES, 'a' * 64), (EPISODES - 1, own), (EPISODES + 1, own)):
        seal(bag, episodes, network)
        for words in (['analyze', bag], ['prune', run_dir, '--bag', bag, '--samples', 1]):
            out = ['-o', tmp_path / 'out']
            refused(*words, *out, words=[str(bag), 'recording.json describes another recording'])
        assert 'Incomplete' in command('info', bag)[1]
    seal(bag, EPISODES, own)
    assert command('analyze', bag, '-o', tmp_path / 'out')[0] == 0
