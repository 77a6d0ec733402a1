# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training until two independent tests are passed, in a folder from which it resumes."""

import dataclasses
import json

import pytest
import torch

pytest.importorskip('stable_baselines3')

from stable_baselines3 import PPO

from neuron_reach.common.files import read_json
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.criterion import Criterion
from neuron_reach.policies.sb3 import read_sb3
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3 import retraining
from neuron_reach.sb3.retraining import (
    RetrainingPlan,
    RetrainingStatus,
    read_retraining,
    retrain,
)
from sb3.signs import SIGNS, model, taught_ppo


def quiet(*_, **__):
    """Show no progress."""


PLAN = RetrainingPlan(Criterion(SIGNS, 6.0, 0.5, 40), budget=3000, test_every=500)
SMALL = dataclasses.replace(PLAN, budget=500)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A policy that passes, and one that knows nothing."""
    folder = tmp_path_factory.mktemp('files')
    taught_ppo().save(folder / 'good.zip')
    options = {'n_steps': 64, 'batch_size': 32, 'learning_rate': 3e-3}
    model(PPO, **options, n_epochs=10).save(folder / 'bad.zip')
    return folder / 'good.zip', folder / 'bad.zip'


@pytest.fixture(scope='module')
def trained(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    return folder, retrain(files[1], folder, PLAN, quiet)


def state_of(path):
    with open_archive(path) as archive:
        return read_file(archive).state


def test_a_network_that_passes_needs_no_training(files, tmp_path):
    done = retrain(files[0], tmp_path, PLAN, quiet)
    assert (done.status, done.steps, len(done.tests)) == (RetrainingStatus.TRAINED, 0, 1)
    assert (tmp_path / 'trained.zip').read_bytes() == files[0].read_bytes()
    assert read_retraining(tmp_path) == done


def test_training_goes_on_until_two_tests_are_passed(trained):
    folder, done = trained
    assert done.status is RetrainingStatus.TRAINED
    assert done.steps > 0
    assert done.updates > 0
    passed = PLAN.criterion.passed
    *before, last = done.tests
    for test in before:
        assert not passed(test.score) or not passed(test.confirmation)
        assert (test.confirmation is None) == (not passed(test.score))
    assert passed(last.score)
    assert passed(last.confirmation)
    assert [test.steps for test in done.tests] == [0, *(512 * n for n in range(1, len(done.tests)))]
    assert not (folder / 'training').exists()


def test_the_tests_are_independent(trained):
    last = trained[1].tests[-1]
    scores = {str(score) for score in (last.score, last.confirmation, trained[1].score)}
    assert len(scores) == 3


def test_the_trained_file_is_the_network_that_was_tested(trained):
    folder, done = trained
    seed = retraining.retraining_seed(0, 1, 'measure')
    assert PLAN.criterion.test(read_sb3(folder / 'trained.zip'), seed) == done.score
    PPO.load(folder / 'trained.zip', device='cpu')


def test_a_budget_that_does_not_suffice_is_said_and_a_larger_one_resumes(files, trained, tmp_path):
    for _ in range(2):
        done = retrain(files[1], tmp_path, SMALL, quiet)
        assert (done.status, done.steps) == (RetrainingStatus.ABANDONED, 512)
        assert done.score is None
    saved = read_json(tmp_path / 'retraining.json')
    assert saved['status'] == 'not retrained within the budget'
    assert retrain(files[1], tmp_path, PLAN, quiet) == trained[1]
    assert torch.equal(
        *(state_of(at / 'trained.zip')['action_net.weight'] for at in (tmp_path, trained[0]))
    )


def test_a_training_that_is_stopped_resumes_as_if_it_was_not(files, trained, tmp_path):
    """Stopped in the first chunk, in the test after it, and in the second chunk."""
    moments = [('training', 100), ('testing', 40), ('training', 600)]
    stops = 0

    def progress(what, done, total=None, unit='', note=''):
        nonlocal stops
        if stops == len(moments) or note == 'after 0 training steps':
            return
        kind, least = moments[stops]
        if kind in what and done >= least:
            stops += 1
            raise KeyboardInterrupt

    done = None
    while done is None:
        try:
            done = retrain(files[1], tmp_path, PLAN, progress)
        except KeyboardInterrupt:
            assert read_retraining(tmp_path).status is RetrainingStatus.UNTRAINED
    assert stops == len(moments)
    assert done == trained[1]
    assert torch.equal(
        *(state_of(at / 'trained.zip')['action_net.weight'] for at in (tmp_path, trained[0]))
    )


def test_other_seeds_and_steps_train_other_networks(files, trained, tmp_path):
    for number, plan in enumerate(
        (dataclasses.replace(SMALL, seed=1), dataclasses.replace(SMALL, step=2))
    ):
        done = retrain(files[1], tmp_path / str(number), plan, quiet)
        assert done.tests[0].score != trained[1].tests[0].score
        assert done.tests[1].score != trained[1].tests[1].score


def test_a_damaged_state_is_one_line(files, tmp_path):
    retrain(files[1], tmp_path, SMALL, quiet)
    progress = tmp_path / 'training' / 'progress.json'
    text = json.loads(progress.read_text())
    text['counters']['steps'] = 0
    progress.write_text(json.dumps(text))
    with pytest.raises(ValueError, match='is damaged, or was changed by hand'):
        retrain(files[1], tmp_path, PLAN, quiet)
