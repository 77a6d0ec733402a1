import csv
import json

import numpy as np
import pytest
import safetensors.numpy
import torch

from neuron_reach import messages
from neuron_reach.bags.storage import humble_types
from neuron_reach.bags.writer import BagWriter
from neuron_reach.cli import main
from neuron_reach.figures import style
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.records.recording import record_checkpoint

EPISODES = '10'


def make_run(folder, joints, seed, hidden=(9, 7)):
    """Write a run folder with an untrained network."""
    values = {'joints': joints, 'hidden': list(hidden), 'seed': seed}
    setup = Setup.from_values({**values, 'episode_steps': 8, 'reach_steps': 8, 'arms': 5}, 'test')
    network = QNetwork(setup.layer_sizes)
    network.initialize([torch.Generator().manual_seed(seed)], 0.3)
    save_checkpoint(folder / 'checkpoint', network, describe(setup, Member(seed), None))
    return folder


def write_bag(path, checkpoint, episodes, seed=None):
    """Write what the recorder writes for one arm."""
    generator = None if seed is None else np.random.default_rng(seed)
    record = record_checkpoint(load_checkpoint(checkpoint), episodes, generator)
    types = humble_types()
    make = types.types
    dimension = make['std_msgs/msg/MultiArrayDimension']

    def array(kind, dtype):
        empty = make['std_msgs/msg/MultiArrayLayout'](dim=[], data_offset=0)
        return make[kind](layout=empty, data=np.zeros(0, dtype))

    floats, doubles = 'std_msgs/msg/Float32MultiArray', 'std_msgs/msg/Float64MultiArray'
    with BagWriter(path, 'mcap') as bag:
        topics = {messages.activation_topic(name): name for name in record.layers}
        for topic in topics:
            bag.add_topic(f'/{topic}', floats)
        bag.add_topic('/episode', doubles)
        bag.add_topic('/checkpoint', 'std_msgs/msg/String', transient_local=True)
        text = messages.encode_checkpoint(messages.CheckpointMessage(str(checkpoint), 1, 0))
        string = make['std_msgs/msg/String'](text)
        bag.write('/checkpoint', 0, types.serialize_cdr(string, 'std_msgs/msg/String'))
        for episode in range(episodes):
            for step in range(record.lengths[episode]):
                for topic, name in topics.items():
                    message = array(floats, np.float32)
                    values = record.layer(name)[episode, step][None]
                    messages.fill_fleet_step(message, dimension, values, episode, step)
                    bag.write(f'/{topic}', 1 + episode, types.serialize_cdr(message, floats))
            result = [[episode, *record.goals[episode], 8, record.rewards[episode], 0]]
            message = array(doubles, np.float64)
            messages.fill_episodes(message, dimension, np.array(result))
            bag.write('/episode', 1 + episode, types.serialize_cdr(message, doubles))
    return path


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Three networks of 2 joints and two of 3 joints, in a folder each; one has a bag."""
    root = tmp_path_factory.mktemp('runs')
    for joints, count in ((2, 3), (3, 2)):
        for seed in range(count):
            make_run(root / f'joints{joints}' / f'seed{seed}', joints, seed)
    write_bag(root / 'joints2' / 'seed0' / 'bag', root / 'joints2' / 'seed0' / 'checkpoint', 12)
    return root


@pytest.fixture
def no_figures(monkeypatch):
    """Leaves the figures out: they take longer than everything else."""
    monkeypatch.setattr(style, 'save', lambda figure, path: [])


def read(folder):
    results = json.loads((folder / 'mapping.json').read_text())
    with (folder / 'pairs.csv').open() as file:
        return results, list(csv.DictReader(file))


def run(*arguments):
    return main(['map', *map(str, arguments), '--episodes', EPISODES])


def test_one_pair_leaves_tables_figures_and_the_projection(runs, tmp_path, capsys):
    source, target = runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed1' / 'checkpoint'
    assert run(source, target, '-o', tmp_path, '--lambda', 5, 0, '--greedy') == 0
    results, pairs = read(tmp_path)
    assert [pair['method'] for pair in pairs] == ['greedy', 'linear', 'linear']
    assert {(pair['source_joints'], pair['target_joints']) for pair in pairs} == {('2', '3')}
    assert float(pairs[2]['kkt_residual']) < 1e-8
    assert float(pairs[2]['sample_error']) < float(pairs[1]['sample_error']) < 1.0
    assert results['options']['regularisations'] == [5.0, 0.0]
    assert results['versions']['numpy'] == np.__version__
    for pair, group in zip(results['pairs'], results['groups'], strict=True):
        assert group['error'] == {'mean': pair['error'], 'low': None, 'high': None}
        columns = np.array(pair['layers'], float).sum(axis=0)
        np.testing.assert_allclose(columns[np.isfinite(columns)], 1.0)
    for name in ('metrics', 'layers_trained_greedy', 'projection_trained_2-3_balanced_lambda5'):
        assert (tmp_path / f'{name}.png').read_bytes().startswith(b'\x89PNG')
        assert '</svg>' in (tmp_path / f'{name}.svg').read_text()
    saved = safetensors.numpy.load_file(
        tmp_path / 'projection_trained_2-3_balanced_lambda5.safetensors'
    )
    assert saved['projection'].shape == (9 + 7 + 9, saved['targets'].size)
    assert not list(tmp_path.glob('*.partial'))
    assert '2-3 balanced, trained, lambda = 5' in capsys.readouterr().out


def test_all_pairs_of_a_folder_with_itself_and_baselines(runs, tmp_path, no_figures):
    folder, names = runs / 'joints2', ['reflexive', 'random', 'random-both', 'permuted']
    options = ['-o', tmp_path, '--lambda', 0, '--baseline', *names]
    assert run(folder, folder, *options, '--random-hidden', 6, 5) == 0
    results, pairs = read(tmp_path)
    groups = {group['kind']: group for group in results['groups']}
    assert {kind: group['pairs'] for kind, group in groups.items()} == {
        'trained': 6, 'reflexive': 3, 'random': 6, 'random-both': 6, 'permuted': 6
    }  # fmt: skip
    assert groups['reflexive']['coverage']['mean'] == pytest.approx(1.0)
    assert groups['reflexive']['sample_error']['mean'] == pytest.approx(0.0, abs=1e-6)
    interval = groups['trained']['error']
    assert interval['low'] < interval['mean'] < interval['high']
    assert groups['permuted']['error']['mean'] > interval['mean']
    for pair in pairs:
        assert (pair['source'] == pair['target']) == (pair['kind'] == 'reflexive')
        if pair['kind'] == 'random-both':
            assert (pair['source_layers'], pair['target_layers']) == ('6 5 9', '6 5 9')
        if pair['kind'] == 'random':
            assert (pair['source_layers'], pair['target_layers']) == ('6 5 9', '9 7 9')


def test_the_same_command_gives_the_same_results(runs, tmp_path, no_figures):
    for name in ('a', 'b'):
        command = [runs / 'joints3', runs / 'joints2' / 'seed1', '-o', tmp_path / name]
        assert run(*command, '--baseline', 'random', 'permuted', '--transform', 'naive') == 0
    for name in ('mapping.json', 'pairs.csv', 'groups.csv'):
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes()


def test_a_bag_gives_the_samples(runs, tmp_path, no_figures):
    seed0 = runs / 'joints2' / 'seed0'
    fresh = write_bag(tmp_path / 'fresh', seed0 / 'checkpoint', 4, seed=77)
    command = [runs / 'joints2' / 'seed1', seed0 / 'bag', '--lambda', 0]
    assert run(*command, '-o', tmp_path / 'a') == 0
    assert run(*command, '-o', tmp_path / 'b', '--validation', fresh) == 0
    assert run(seed0 / 'bag', runs / 'joints2' / 'seed1', '-o', tmp_path / 'c') == 0
    played, recorded = (read(tmp_path / name)[1][0] for name in 'ab')
    assert played['sample_error'] == recorded['sample_error']
    assert played['error'] != recorded['error']


def test_transforms_that_agree_are_mapped_once(runs, tmp_path, no_figures):
    file = tmp_path / 'mine.yaml'
    file.write_text('matrix: [[1, 0, 0], [0, 0.5, 0.5]]\n')
    command = [runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed0', '-o', tmp_path]
    assert run(*command, '--transform', 'naive', 'balanced', 'duplicate', file) == 0
    assert [pair['transform'] for pair in read(tmp_path)[1]] == ['naive', 'mine']


def failing(*arguments):
    return ['map', *map(str, arguments)]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            ['--lambda', '-1'],
            "--lambda must be a number or a list of numbers, each of at least 0, not '-1'",
        ),
        (['--lambda', 'nan'], "each of at least 0, not 'nan'"),
        (['--episodes', '0'], '--episodes must be a whole number of at least 1'),
        (['--tolerance', '-0.1'], '--tolerance must be a number of at least 0'),
        (['--random-hidden', '5', '0'], "of whole numbers, each of at least 1, not '0'"),
        (['--transform', 'best'], 'naive, balanced, duplicate or a .yaml file'),
        (['--transform', 'missing.yaml'], 'missing.yaml: cannot be read'),
    ],
)
def test_bad_options_end_in_one_line(runs, tmp_path, capsys, change, message):
    command = failing(runs / 'joints2' / 'seed0', runs / 'joints3' / 'seed0', '-o', tmp_path)
    assert main([*command, *change]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert '\n' not in error


def test_bad_paths_end_in_one_line(runs, tmp_path, capsys):
    one, empty = runs / 'joints2' / 'seed0', tmp_path / 'empty'
    empty.mkdir()
    lonely = write_bag(tmp_path / 'lonely' / 'deep' / 'bag', one / 'checkpoint', 2)
    gone = write_gone(tmp_path / 'gone', lonely)
    for source, target, message in (
        (one, tmp_path / 'nowhere', 'nowhere: no such file or folder'),
        (empty, one, 'is no checkpoint, run folder or bag, and holds none'),
        (gone, one, 'the checkpoint it was recorded with is gone'),
        (one, gone, 'or --validation BAG given'),
    ):
        assert main(failing(source, target, '-o', tmp_path / 'out')) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert '\n' not in error
    matrix = tmp_path / 'wrong.yaml'
    matrix.write_text('matrix: [[1, 0]]\n')
    command = failing(one, runs / 'joints3' / 'seed0', '-o', tmp_path, '--transform', matrix)
    assert main(command) == 2
    assert '2 rows (source joints) of 3 numbers' in capsys.readouterr().err


def write_gone(path, bag):
    """Copy a bag whose checkpoint message names a folder that is not there."""
    from neuron_reach.bags.reader import BagReader

    types = humble_types()
    reader = BagReader(bag)
    with BagWriter(path, 'mcap') as copy:
        for topic, kind in reader.topics.items():
            copy.add_topic(topic, kind)
        for topic, time, data in reader.messages(raw=True):
            if topic == '/checkpoint':
                text = messages.encode_checkpoint(messages.CheckpointMessage('/nowhere', 1, 0))
                string = types.types['std_msgs/msg/String'](text)
                data = types.serialize_cdr(string, 'std_msgs/msg/String')
            copy.write(topic, time, data)
    return path
