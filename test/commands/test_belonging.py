# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Recordings become bags when they are whole, and are used with their own network only."""

import json
import shutil

import pytest
from record_bags import write_record
from recordings import EPISODES, keep, record

from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.records.recording import record_checkpoint

pytestmark = pytest.mark.usefixtures('no_figures')


def test_a_bag_changed_after_it_was_sealed_is_used_by_no_command(
    tmp_path, run_dir, command, refused
):
    record(run_dir, run_dir / 'bag.partial')
    assert command(*keep(run_dir))[0] == 0
    bag, checkpoint = run_dir / 'bag', run_dir / 'checkpoint'
    (file,) = bag.glob('*.mcap')
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    for words in (
        ['analyze', bag, '-o', tmp_path / 'out'],
        ['prune', run_dir, '--bag', bag, '--samples', 1, '-o', tmp_path / 'out'],
        ['map', bag, checkpoint, '-o', tmp_path / 'out'],
        ['map', checkpoint, bag, '-o', tmp_path / 'out'],
        ['recording', 'check', bag, checkpoint, EPISODES],
    ):
        refused(*words, words=[str(file), 'is not as it was recorded'])


# --- beside a network -----------------------------------------------------------------------------


@pytest.fixture
def stale(run_dir, untrained, command):
    """A run folder whose network was trained anew after its bag was recorded."""

    def make(says=True):
        record(run_dir, run_dir / ('bag.partial' if says else 'bag'), says=says)
        if says:
            assert command(*keep(run_dir))[0] == 0
        untrained('run/checkpoint', seed=9)
        return run_dir

    return make


@pytest.mark.parametrize('says', [True, False])
def test_every_command_notices_a_bag_of_other_weights(
    tmp_path, stale, untrained, command, refused, says
):
    run, out = stale(says), ['-o', tmp_path / 'out']
    bag, checkpoint = run / 'bag', run / 'checkpoint'
    own = untrained('own', seed=5).path
    play = ['--episodes', 2]
    notice = [str(bag), 'is not of']
    refused('analyze', run, *out, words=notice)
    for given in ([checkpoint, '--bag', bag], [run, '--bag', run]):
        refused('prune', *given, *out, '--samples', 1, words=notice)
    gone = ['checkpoint it was recorded with is gone', 'holds other weights']
    for target in (run, bag):
        words = gone if says and target == bag else notice
        refused('map', own, target, *out, *play, words=words)
    refused('map', own, own, *out, *play, '--validation', bag, words=[str(bag)])
    text = command('info', run)[1]
    assert 'another network' in text or 'does not fit' in text
    words = ['recording', 'check', bag, checkpoint, 0]
    refused(*words, words=[str(bag), 'another run_dir'])
    assert not (tmp_path / 'out' / 'analysis.json').exists()


def test_a_bag_alone_and_a_bag_that_says_nothing_are_used(tmp_path, run_dir, command):
    record(run_dir, run_dir / 'bag', says=False)
    last = command('info', run_dir)[1].splitlines()[-2:]
    assert 'the bag does not say how many episodes' in last[0]
    assert last[1].startswith('It is of this network: the activations are')
    assert command('analyze', run_dir, '-o', tmp_path / 'a')[0] == 0
    shutil.rmtree(run_dir / 'bag')
    activity = record_checkpoint(load_checkpoint(run_dir / 'checkpoint'), 4)
    write_record(run_dir / 'bag', activity.select(['hidden_1', 'hidden_2']), arms=2)
    code, _, errors = command('analyze', run_dir, '-o', tmp_path / 'b')
    assert code == 0
    assert 'cannot be compared' in errors
    notes = json.loads((tmp_path / 'b' / 'analysis.json').read_text())['notes']
    assert any('cannot be compared' in note for note in notes)


def test_fewer_episodes_than_asked_for_are_refused_or_told(tmp_path, run_dir, command, refused):
    record(run_dir, run_dir / 'bag', asked=50)
    few, out = [str(run_dir / 'bag'), '6 of 50 episodes'], ['-o', tmp_path / 'out']
    refused('prune', run_dir, '--bag', run_dir, *out, '--samples', 1, words=few)
    refused('map', run_dir, run_dir, *out, '--episodes', 4, words=few)
    refused('recording', 'check', run_dir / 'bag', run_dir / 'checkpoint', 0, words=few)
    code, _, errors = command('analyze', run_dir, *out)
    assert code == 0
    assert 'warning: 6 of 50 episodes' in errors
    notes = json.loads((tmp_path / 'out' / 'analysis.json').read_text())['notes']
    assert '6 of 50 episodes' in notes
    assert 'Incomplete 6 of 50 episodes' in command('info', run_dir)[1]


def test_prune_takes_as_many_episodes_as_asked_for(tmp_path, run_dir, command, refused):
    record(run_dir, run_dir / 'bag')
    words = ['prune', run_dir, '--bag', run_dir, '--samples', 1]
    refused(*words, '-o', tmp_path / 'a', '--episodes', 7, words=['6 of 7 episodes'])
    for name, given, used in (('b', ['--episodes', 4], 4), ('c', [], 6)):
        assert command(*words, *given, '-o', tmp_path / name)[0] == 0
        assert json.loads((tmp_path / name / 'pruning.json').read_text())['episodes'] == used


# --- places ---------------------------------------------------------------------------------------


def test_what_record_leaves_in_its_run_dir_is_taken_by_every_command(
    tmp_path, run_dir, untrained, command
):
    folder = tmp_path / 'y'
    record(run_dir, folder / 'bag')
    assert 'The bag is complete.' in command('info', folder)[1]
    few = ['--episodes', 4]
    prune = ['prune', run_dir, *few, '--samples', 1]
    other = untrained('other', seed=1).path
    for number, words in enumerate((
        ['analyze', folder, *few],
        [*prune, '--bag', folder],
        ['prune', folder, *few, '--samples', 1],
        ['map', other, folder, *few],
        ['map', folder, other, *few],
        ['map', other, run_dir, *few, '--validation', folder],
    )):  # fmt: skip
        code, _, errors = command(*words, '-o', tmp_path / f'out{number}')
        assert code == 0, errors


def test_a_training_that_is_not_finished_says_what_to_name(tmp_path, run_dir, refused):
    state = tmp_path / 'begun' / 'checkpoints' / 'episode_000000400'
    shutil.copytree(run_dir / 'checkpoint', state)
    for words in (['prune', state.parents[1]], ['analyze', state.parents[1]]):
        refused(*words, '-o', tmp_path / 'out', words=[str(state.parents[1])])


def test_the_bag_in_a_step_of_a_reduction_is_of_the_network_before(tmp_path, run_dir, command):
    """It is not used as that of the network trained there."""
    step = tmp_path / 'step_1'
    record(run_dir, step / 'bag')
    words = ['prune', run_dir, '--bag', step, '-o', step, '--samples', 1, '--episodes', 4]
    assert command(*words)[0] == 0
    shutil.copytree(step / 'pruned', step / 'checkpoint')
    assert 'It is of the network that was pruned here.' in command('info', step)[1]
    code, text, errors = command('analyze', step, '-o', tmp_path / 'out', '--episodes', 3)
    assert code == 0, errors
    assert '3 episodes, 180 steps' in text
    assert command('map', run_dir, step, '-o', tmp_path / 'map', '--episodes', 3)[0] == 0


def test_learn_begins_no_other_network_beside_a_bag(run_dir, refused):
    record(run_dir, run_dir / 'bag')
    shutil.rmtree(run_dir / 'checkpoint')
    words = [str(run_dir / 'bag'), 'another network', 'another run_dir']
    refused('learn', f'run_dir:={run_dir}', words=words)
    refused('train', f'run_dir:={run_dir}', words=words)
