import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import neuron_reach as nr
from neuron_reach.common.random_streams import step_seed
from neuron_reach.learning.checkpoint import load_checkpoint

FEW = ['--samples', '2', '--episodes', '50', '--steps', '2', '--test-episodes', '200']


def outcome(folder):
    """Everything that is the same however often the procedure was interrupted."""
    networks = [
        (folder / f'step_{step}' / name / 'model.safetensors').read_bytes()
        for step in (1, 2)
        for name in ('pruned', 'checkpoint')
    ]
    return networks, (folder / 'summary.csv').read_text(), (folder / 'summary.svg').read_text()


@pytest.fixture(scope='module')
def reduced(tmp_path_factory, trained):
    """A reduction in one go."""
    from neuron_reach.cli import main

    folder = tmp_path_factory.mktemp('reduced')
    assert main(list(map(str, ['prune-train', trained, '-o', folder, *FEW]))) == 0
    return folder


def test_every_step_is_kept_and_summed_up(trained, reduced):
    summary = json.loads((reduced / 'summary.json').read_text())
    assert summary['finished']
    last = sorted(reduced.glob('step_*'))[-1]
    assert nr.load(reduced).sizes == nr.load(last).sizes != nr.load(trained).sizes
    assert summary['source'] == str(trained.resolve())
    assert summary['before']['hidden'] == [16, 12]
    before = [16, 12]
    for step, entry in enumerate(summary['steps'], 1):
        folder = reduced / f'step_{step}'
        assert entry['status'] == 'trained'
        assert entry['hidden_before'] == before
        assert all(a <= b for a, b in zip(entry['hidden'], before, strict=True))
        before = entry['hidden']
        for name in ('pruned', 'checkpoint'):
            assert list(load_checkpoint(folder / name).network.sizes[1:-1]) == entry['hidden']
        metadata = load_checkpoint(folder / 'checkpoint').metadata
        assert metadata['seed'] == entry['seed'] == step_seed(0, step)
        assert metadata['validation']['training_duration'] == entry['training_duration']
        assert metadata['validation']['history'][0][0] == 0
        assert entry['trained_accuracy']['episodes'] == 200
        assert len(entry['initial_accuracy']['values']) == 2
    assert before < [16, 12]
    with (reduced / 'summary.csv').open(newline='') as file:
        lines = list(csv.DictReader(file))
    assert [line['hidden'] for line in lines] == [
        ' '.join(map(str, entry['hidden'])) for entry in summary['steps']
    ]
    assert (reduced / 'summary.png').exists()


def test_a_finished_procedure_only_sums_up_again(trained, reduced, command):
    expected = outcome(reduced)
    (reduced / 'summary.json').unlink()
    (reduced / 'summary.csv').unlink()
    code, text, _ = command('prune-train', trained, '-o', reduced, *FEW)
    assert code == 0
    assert 'step 2:' in text
    assert outcome(reduced) == expected
    assert json.loads((reduced / 'summary.json').read_text())['finished']


def test_other_options_are_refused(trained, untrained, reduced, refused):
    words = ['reduction.json', 'same options or another folder']
    refused('prune-train', trained, '-o', reduced, *FEW, '--tau', '0.3', words=['tau', *words])
    refused('prune-train', trained, '-o', reduced, *FEW[2:], words=['samples', *words])
    refused('prune-train', untrained().path, '-o', reduced, *FEW, words=['source', *words])


def test_killed_again_and_again_it_ends_as_in_one_go(tmp_path, trained, reduced):
    """Killed after whatever comes next to lie in the folder."""
    folder = tmp_path / 'run'
    arguments = ['prune-train', trained, '-o', folder, *FEW, '--checkpoint-interval', '0']
    command = [sys.executable, '-m', 'neuron_reach', *map(str, arguments)]
    for moment in ('step_1/checkpoints/episode_*', 'step_2/pruned'):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        while process.poll() is None and not list(folder.glob(moment)):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert outcome(folder) == outcome(reduced)


def test_tau_zero_needs_no_training(tmp_path, trained, command):
    arguments = [*FEW, '--steps', '1', '--tau', '0']
    assert command('prune-train', trained, '-o', tmp_path, *arguments)[0] == 0
    [entry] = json.loads((tmp_path / 'summary.json').read_text())['steps']
    history = load_checkpoint(tmp_path / 'step_1' / 'checkpoint').metadata['validation']['history']
    assert (entry['training_duration'] == 0) == (history[0][1] >= 279)


def test_a_step_that_cannot_be_trained_is_reported_and_ends_it(
    tmp_path, untrained, command, refused
):
    path = untrained(success_reward=1.0).path
    arguments = ['prune-train', path, '-o', tmp_path / 'run', *FEW, '--max-episodes', '100']
    for _ in range(2):  # again, it ends at once
        refused(*arguments, words=['step 1', 'not trained', 'max_episodes=100', 'larger'])
        summary = json.loads((tmp_path / 'run' / 'summary.json').read_text())
        assert not summary['finished']
        [entry] = summary['steps']
        assert entry['status'] == 'not trained within max_episodes'
        assert entry['episodes'] == 100
        assert entry['training_duration'] is None
    code, text, _ = command(*arguments, '--summary')
    assert code == 0
    assert 'not trained within max_episodes' in text


def test_bad_input_is_one_line(tmp_path, trained, refused):
    out = ['-o', tmp_path / 'out']
    refused('prune-train', tmp_path / 'no', *out, words=['no such checkpoint'])
    refused('prune-train', trained, *out, '--steps', '0', words=['steps', '1 to 100'])
    refused('prune-train', trained, *out, '--max-episodes', '0', words=['max_episodes'])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'reduction.json').write_text('{"source"')
    refused('prune-train', trained, *out, words=['reduction.json', 'truncated'])
