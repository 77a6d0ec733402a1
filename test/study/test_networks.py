# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json
from functools import partial

import pytest
from easy import EASY

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.errors import UserError
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Training
from neuron_reach.study.engine.jobs import perform
from neuron_reach.study.engine.results import StoredResult, write_files
from neuron_reach.study.networks import condition, training_jobs


def test_stacks_in_parallel_processes_train_each_network_as_if_it_were_alone(store, complete):
    stacks = training_jobs(EASY, range(3), 2, test_episodes=300)
    assert [job.arguments['seeds'] for job in stacks] == [[0, 1], [2]]
    assert complete(*stacks)[0].failures == []
    for job in stacks:
        stacked = store.load(job)
        for seed, member in zip(job.arguments['seeds'], stacked.values['members'], strict=True):
            setup = Setup.from_values({**EASY, 'seed': seed}, 'test')
            training = Training(setup)
            training.run(partial(FleetSimulator, setup.arm), lambda _: None)
            ((alone, network),) = training.finished
            assert member['seed'] == alone.seed == seed
            assert member['first_pass'] == alone.first_pass
            assert member['trained'] == alone.trained
            assert [tuple(entry) for entry in member['validations']] == alone.validations
            assert member['updates'] == training.learner.updates
            checkpoint = stacked.checkpoint(f'seed_{seed}')
            assert checkpoint.network.flat.equal(network.flat)
            assert checkpoint.metadata['seed'] == checkpoint.setup.training.seed == seed
            accuracy = checkpoint.metadata['validation']['accuracy']
            assert accuracy['value'] == member['accuracy'] > 0.8
            assert accuracy['episodes'] == 300


def test_networks_that_do_not_pass_are_reported_and_not_kept(tmp_path):
    (job,) = training_jobs({**EASY, 'max_episodes': 200}, [5, 6], 2, test_episodes=10)
    files = perform(job.call({})).files
    assert files.keys() == {'result.json'}
    write_files(files, tmp_path)
    members = StoredResult(tmp_path).values['members']
    assert [member['seed'] for member in members] == [5, 6]
    for member in members:
        assert member['first_pass'] is member['trained'] is member['accuracy'] is None
        assert [entry[0] for entry in member['validations']] == [100, 200]


def test_all_options_are_written_out_so_that_changed_defaults_are_other_jobs():
    (job,) = training_jobs({'joints': 2}, [3], 1)
    options = json.loads(job.text)['options']
    assert {**options, 'seed': 0} == Setup.from_values({'joints': 2}, 'test').values()


def test_the_same_network_is_the_same_job_whatever_the_options_seed():
    first, second = (training_jobs({'seed': seed}, [3], 1)[0] for seed in (1, 2))
    assert first.address == second.address


def test_options_out_of_range_are_the_user_s_to_mend():
    with pytest.raises(UserError, match='joints must be'):
        training_jobs({'joints': 0}, [0], 1)


def test_wider_networks_more_joints_and_more_seeds_are_expected_to_take_longer():
    def seconds(joints=3, hidden=48, seeds=(0,)):
        return training_jobs({'joints': joints, 'hidden': hidden}, seeds, 9)[0].seconds

    assert seconds() < seconds(hidden=128) < seconds(hidden=512)
    assert seconds() < seconds(joints=4)
    assert seconds(seeds=(0, 1)) == pytest.approx(2 * seconds())


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'joints': 3, 'hidden': 48}, '3 joints, 6 x 48'),
        ({'joints': 1, 'hidden': [5, 4]}, '1 joint, 5 4'),
    ],
)
def test_conditions_are_named_by_arm_and_layers(options, expected):
    assert condition(Setup.from_values(options, 'test')) == expected


def test_wide_networks_share_a_job_with_fewer():
    def stacks(hidden):
        jobs = training_jobs({'hidden': hidden}, range(6), 5)
        return [len(job.arguments['seeds']) for job in jobs]

    assert stacks(48) == [5, 1]
    assert stacks(256) == [3, 3]
    assert stacks(4096) == [1] * 6
