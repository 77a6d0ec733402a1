# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import pytest
import torch
from easy import EASY

from neuron_reach.study.engine.jobs import perform
from neuron_reach.study.engine.results import write_files
from neuron_reach.study.fig3.reading_jobs import GLOROT, HE, train_otherwise
from neuron_reach.study.networks import training_jobs


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Results of training usually, otherwise but the same, on and on, and from Glorot weights."""
    from neuron_reach.study.engine.results import StoredResult

    def result(job):
        folder = tmp_path_factory.mktemp('job')
        write_files(perform(job.call({})).files, folder)
        return StoredResult(folder)

    def otherwise(start, past):
        return result(
            train_otherwise.job(
                'o', options=EASY, seed=1, start=start, past=past, test_episodes=100
            )
        )

    return {
        'usual': result(training_jobs(EASY, [1], 1, test_episodes=100)[0]),
        'same': otherwise(HE, 0),
        'more': otherwise(HE, 300),
        'glorot': otherwise(GLOROT, 0),
    }


def test_otherwise_but_without_a_difference_is_as_usual(trained):
    usual, same = trained['usual'], trained['same']
    (expected,), (member,) = usual.values['members'], same.values['members']
    assert member == {key: expected[key] for key in member}
    networks = [result.checkpoint('seed_1').network.flat for result in (usual, same)]
    assert torch.equal(*networks)


def test_training_goes_on_for_as_long_as_asked(trained):
    (short,), (long,) = (trained[name].values['members'] for name in ('same', 'more'))
    assert (long['first_pass'], long['trained']) == (short['first_pass'], short['trained'])
    rounds = (long['updates'] - short['updates']) / 60  # one update a step of an episode
    assert rounds * EASY['arms'] == 300
    networks = [trained[name].checkpoint('seed_1').network.flat for name in ('same', 'more')]
    assert not torch.equal(*networks)


def test_glorot_weights_are_another_start(trained):
    (member,) = trained['glorot'].values['members']
    assert member['trained']
    assert member['first_pass'] != trained['same'].values['members'][0]['first_pass']
