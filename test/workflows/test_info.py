# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What info says of everything that a command leaves, and which folders commands take."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from mutations import mutations
from PIL import Image
from record_bags import write_record
from study.engine import study_functions as functions

from neuron_reach.cli import main
from neuron_reach.common.animation import write_animation
from neuron_reach.common.lookup import find_checkpoint
from neuron_reach.common.names import METADATA, MODEL
from neuron_reach.errors import UserError
from neuron_reach.launching.graph import build
from neuron_reach.learning.checkpoint import load_checkpoint, network_digest
from neuron_reach.records.recording import record_checkpoint
from neuron_reach.study.html_report import Section
from neuron_reach.study.studies import STUDIES, Plan, Study
from neuron_reach.workflows.info import describe_path


def test_a_checkpoint_without_digests_is_described_and_said_to_have_none(saved):
    text = describe_path(saved)
    assert '6 | 8 5 | 9' in text
    assert '290' not in text
    assert 'digest' not in text
    values = json.loads((saved / METADATA).read_text())
    del values['sha256']
    (saved / METADATA).write_text(json.dumps(values))
    assert describe_path(saved) == (
        f'{text}\nFiles      have no digest (made before digests were kept)'
    )


@pytest.mark.parametrize('name', [METADATA, MODEL])
def test_a_damaged_checkpoint_is_one_line(saved, name):
    text, file = describe_path(saved), saved / name
    for content in mutations(file.read_bytes(), 60):
        file.write_bytes(content)
        try:
            assert describe_path(saved) == text
        except UserError as error:
            assert str(error).startswith(f'{file}: ')
            assert '\n' not in str(error)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match='is no regular file'):
        describe_path(saved)


def test_a_first_pass_alone_is_not_called_trained(saved):
    values = json.loads((saved / METADATA).read_text())
    del values['sha256']
    values['validation'] |= {'training_duration': 900, 'confirmed': None}
    (saved / METADATA).write_text(json.dumps(values))
    text = describe_path(saved)
    assert 'Trained    not yet; test first passed after 900 episodes, but not confirmed' in text


# --- what commands leave --------------------------------------------------------------------------

FEW = ['--episodes', '4', '--samples', '1']


@pytest.fixture(scope='module')
def left(tmp_path_factory, trained):
    """A folder with what every command leaves, made by the commands; read only."""
    folder = tmp_path_factory.mktemp('left')
    run = folder / 'run'
    shutil.copytree(trained.parent, run)
    network, reduced = str(run / 'checkpoint'), folder / 'reduced'
    train = ['--episodes', '20', '--samples', '1', '--steps', '1', '--test-episodes', '50']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('neuron_reach.figures.style.save', lambda figure, path: [])
        for words in (
            ['analyze', network, '--episodes', '4', '-o', str(folder / 'analysis')],
            ['prune', network, *FEW, '-o', str(folder / 'pruned')],
            ['prune-train', network, *train, '-o', str(reduced)],
            ['map', network, str(folder / 'pruned'), '--episodes', '4', '-o', str(folder / 'map')],
        ):
            assert main(words) == 0
        jobs = [functions.add.job('one and two', first=1, second=2)]
        jobs.append(functions.fail.job('in vain', how='deep'))
        plan = Plan(jobs, lambda results: [Section('Jobs', 'All of them.')])
        patch.setitem(STUDIES, 'test', Study('a study of the tests', 'none'))
        patch.setattr(Study, 'plan', lambda self, scale: plan)
        words = ['reproduce', 'test', '--scale', 'quick', '--workers', '1']
        assert main([*words, '-o', str(folder / 'study')]) == 1
    checkpoint = load_checkpoint(run / 'checkpoint')
    announced = [(network, 1, 0, network_digest(checkpoint.network), 4)]
    record = record_checkpoint(checkpoint, 4)
    write_record(folder / 'recorded' / 'bag', record, arms=2, checkpoints=announced)
    shutil.copytree(reduced, folder / 'stopped')
    shutil.rmtree(folder / 'stopped' / 'step_1' / 'checkpoint')
    frames = [Image.new('RGB', (40, 30), color) for color in ('red', 'blue')]
    write_animation(frames, folder / 'arm.gif', [100, 100])
    (folder / 'gazebo' / 'tree').mkdir(parents=True)
    (folder / 'gazebo' / 'plugins-12').mkdir()
    return folder


PLACES = [
    ('run', ['Run', 'training finished 20', 'Network', 'Layers     4 | 16 12 | 3', 'Next']),
    ('run/checkpoint', ['Network', 'Layers', 'Next       neuron_reach analyze']),
    ('run/checkpoint/model.safetensors', ['File       model.safetensors, part of', 'Layers']),
    ('run/checkpoints', ['Networks', 'episode_', 'Next       neuron_reach map']),
    ('analysis', ['Analysis', 'run/checkpoint', '4, 240 steps', 'tau 0.2', 'hidden_2   12 neur']),
    ('analysis/distances.npz', ['part of', 'Analysis', 'hidden_1   16 neurons']),
    (
        'pruned',
        ['Pruning', 'Source', '4 episodes, played', '28 (16 12) pruned to', 'over 1'],
    ),
    ('pruned/pruned', ['Network', 'Trained    not yet', 'prune-train']),
    ('pruned/pruning.json', ['File       pruning.json, part of', 'Pruning', 'Network']),
    ('map', ['Mapping', 'Source', 'run/checkpoint', 'Target', '1 pair: error 0.', 'coverage']),
    ('map/pairs.csv', ['part of', 'Mapping']),
    ('reduced', ['Reduction', 'finished 20', ', 1 step', 'Before     28', 'Step 1', 'retrained']),
    ('reduced/summary.json', ['part of', 'Reduction', 'Step 1']),
    ('reduced/step_1', ['Step       1 of', 'retrained', 'Source', 'Pruned', 'Network', 'Seed']),
    ('stopped', ['Reduction', 'not finished, 1 step begun', 'not retrained yet', 'resumes it']),
    ('stopped/step_1', ['Step       1 of', 'not retrained yet', 'Neurons']),
    ('study', ['Study', '1 job: 1 test.add', 'Failed     1 job, such as', 'report.html', 'Next']),
    ('study/results', ['Jobs', '1 job: 1 test.add', 'Next']),
    ('study/test', ['Report', 'quick/report.html', 'Study      test, at the scale "quick"']),
    ('study/test/quick/report.html', ['File', 'Report', 'in a browser']),
    ('recorded', ['Bag', 'Episodes   4', 'Neurons    input 4, hidden_1 16']),
    ('recorded/bag', ['Bag', 'Episodes   4']),
    ('recorded/bag/metadata.yaml', ['File       metadata.yaml, part of', 'Episodes   4']),
    ('recorded/bag/bag.mcap', ['Bag', 'Episodes   4']),
    ('arm.gif', ['Film', '2 frames of 40 x 30 pixels, 0.2 s']),
    ('gazebo', ['Gazebo', 'installed 20', 'gazebo validate']),
    ('.', ['Networks', ': 4', '/pruned', '/recorded', '/reduced', '/run', 'map SOURCE TARGET']),
]


@pytest.mark.parametrize(('name', 'words'), PLACES)
def test_what_a_command_left_is_described(left, command, name, words):
    code, text, errors = command('info', left / name)
    assert code == 0, errors
    place = 0
    for word in words:  # in this order
        assert word in text[place:], text
        place = text.index(word, place) + len(word)


def test_a_result_and_a_failure_of_reproduce_are_described(left, command):
    [record] = left.glob('study/results/*/*/record.json')
    for path in (record.parent, record):
        text = command('info', path)[1]
        for word in ('Job        one and two', 'test.add, version 1', 'result.json, 0 networks'):
            assert word in text
    [failure] = left.glob('study/results/*/*.error.txt')
    text = command('info', failure)[1]
    assert 'Failed     in vain\nBecause    RuntimeError: deep inside' in text


def test_a_training_that_was_stopped_says_how_far_it_is(left, tmp_path, command):
    shutil.copytree(left / 'run' / 'checkpoints', tmp_path / 'checkpoints')
    text = command('info', tmp_path)[1]
    assert re.search(r'^Run +.*training not finished, saved after \d+ episodes$', text, re.M)
    [state, *_] = (tmp_path / 'checkpoints').iterdir()
    assert command('info', state)[1].startswith(f'State      to resume the training in {tmp_path}')


def test_results_in_a_run_folder_are_named_and_do_not_hide_it(left, tmp_path, command):
    shutil.copytree(left / 'run', tmp_path / 'run')
    shutil.copy(left / 'analysis' / 'analysis.json', tmp_path / 'run')
    text = command('info', tmp_path / 'run')[1]
    assert text.startswith('Run ')
    assert 'Results    of analyze are here as well' in text


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('analysis', 'analysis.json'),
        ('pruned', 'pruning.json'),
        ('pruned', 'pruned/metadata.json'),
        ('map', 'mapping.json'),
        ('reduced', 'reduction.json'),
        ('reduced', 'summary.json'),
        ('reduced/step_1', 'pruning.json'),
        ('reduced/step_1', 'checkpoint/model.safetensors'),
        ('study/test', 'quick/report.html'),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(left, tmp_path, refused, name, file):
    shutil.copytree(left / name.partition('/')[0], tmp_path / name.partition('/')[0])
    path = tmp_path / name / file
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b'', b'{}'):
        path.write_bytes(damaged)
        refused('info', tmp_path / name, words=[f'{path}: '])


def test_a_damaged_record_is_one_line(left, tmp_path, refused):
    shutil.copytree(left / 'study', tmp_path / 'study')
    [record] = tmp_path.glob('study/results/*/*/record.json')
    record.write_bytes(record.read_bytes()[:-20])
    for path in (tmp_path / 'study', tmp_path / 'study' / 'results', record.parent):
        refused('info', path, words=[f'{record}: '])


def test_a_damaged_film_and_a_picture_that_does_not_move_are_one_line(left, tmp_path, refused):
    film = tmp_path / 'arm.gif'
    film.write_bytes((left / 'arm.gif').read_bytes()[:60])
    refused('info', film, words=['is no picture, or damaged'])
    Image.new('RGB', (4, 3)).save(tmp_path / 'still.png')
    refused('info', tmp_path / 'still.png', words=['does not move'])


def test_half_written_things_are_one_line(left, tmp_path, refused):
    shutil.copytree(left / 'run' / 'checkpoint', tmp_path / 'checkpoint.partial')
    refused('info', tmp_path / 'checkpoint.partial', words=['is not finished', 'writes it anew'])
    shutil.copytree(left / 'run' / 'checkpoint', tmp_path / 'x.damaged')
    refused('info', tmp_path / 'x.damaged', words=['was damaged and set aside'])
    (tmp_path / 'bag.partial').mkdir()
    (tmp_path / 'bag.partial' / 'bag.partial.mcap').touch()
    text = describe_path(tmp_path)
    assert text.startswith(f'{tmp_path / "bag.partial"}: a recording that was not finished')


def test_what_is_not_ours_is_one_line_that_says_what_is_supported(tmp_path, refused):
    supported = 'info describes run folders, checkpoints, policies, bags, films'
    refused('info', tmp_path, words=['is an empty folder', supported])
    (tmp_path / 'note.txt').touch()
    refused('info', tmp_path, words=['a folder that neuron_reach did not write, with note.txt'])
    refused('info', tmp_path / 'note.txt', words=['a file that neuron_reach did not', supported])
    refused('info', tmp_path / 'no', words=['no such file or folder'])


# --- what commands take ---------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['run', 'pruned', 'reduced', 'reduced/step_1', 'recorded'])
def test_every_folder_with_one_network_is_taken_by_every_command(
    left, tmp_path, command, monkeypatch, name
):
    monkeypatch.setattr('neuron_reach.figures.style.save', lambda figure, path: [])
    for number, words in enumerate((
        ['analyze', '--episodes', '2'],
        ['map', left / 'pruned' / 'pruned', '--episodes', '2'],
        ['prune', *FEW],
    )):  # fmt: skip
        words.insert(1, left / name)
        code, _, errors = command(*words, '-o', tmp_path / str(number))
        assert code == 0, errors
    if name != 'recorded':  # a run takes no bag
        [phase] = build('run', {'checkpoint': str(left / name), 'backend': 'kinematic'})
        found = Path(phase.leader.parameters['checkpoint'])
        assert found == find_checkpoint(left / name)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('analysis', 'holds results of analyze, which has no network'),
        ('map', 'holds results of map, which has no network'),
        ('stopped', 'is a prune-train that is not finished'),
        ('stopped/step_1', 'the training there is not finished'),
        ('study', 'is the output folder of reproduce, which has no network'),
        ('.', 'holds 4 networks (name one, such as'),
    ],
)
def test_a_folder_without_one_network_is_named_by_every_command(
    left, tmp_path, refused, name, words
):
    path, out = left / name, ['-o', tmp_path / 'out']
    refused('prune', path, *FEW, *out, words=[f'{path}: ', words])
    refused('film', path, '-o', tmp_path / 'arm.gif', words=[f'{path}: ', words])
    if name != '.':  # of several, all pairs are mapped
        refused('map', path, left / 'run', *out, words=[f'{path}: ', words])
    refused('analyze', path, *out, words=[str(path), 'expected a bag'])
    with pytest.raises(UserError, match=re.escape(words)):
        build('run', {'checkpoint': str(path)})
