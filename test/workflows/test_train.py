# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Training in one process."""

import pytest
from easy import EASY

from neuron_reach.learning.checkpoint import load_checkpoint
from neuron_reach.learning.session import NotTrainedError
from neuron_reach.learning.setup import SessionOptions, Setup
from neuron_reach.workflows.train import run_training


def train(folder, shown, saved, **options):
    setup = Setup.from_values({**EASY, **options}, 'test')

    def progress(what, done, total=None, unit='episodes', note=''):
        shown.append((what, done, note))

    return run_training(
        setup,
        folder,
        SessionOptions(test_episodes=50),
        gazebo=None,
        progress=progress,
        saved=saved.append,
    )


def test_a_run_that_was_given_up_resumes_and_ends_as_in_one_go(tmp_path):
    shown, saved = [], []
    with pytest.raises(NotTrainedError, match='max_episodes=200'):
        train(tmp_path / 'a', shown, saved, max_episodes=200)
    assert [path.name for path in saved] == ['episode_000000200']
    assert shown[-1][:2] == ('training', 200)
    assert 'updates' in shown[-1][2]
    assert train(tmp_path / 'a', shown, saved) == tmp_path / 'a' / 'checkpoint' == saved[-1]
    assert train(tmp_path / 'b', [], saved) == tmp_path / 'b' / 'checkpoint'
    first, second = (load_checkpoint(tmp_path / name / 'checkpoint') for name in 'ab')
    assert first.network.flat.equal(second.network.flat)
    assert first.metadata['validation'] == second.metadata['validation']
    assert first.metadata['validation']['accuracy']['episodes'] == 50
    count = len(saved)
    train(tmp_path / 'a', shown, saved)
    assert len(saved) == count, 'a finished run is not trained again'
