# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Damaged checkpoints are refused, or it was nothing that counts."""

import json

import pytest
import safetensors.numpy
from mutations import mutations

from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import (
    METADATA,
    MODEL,
    STATE_COUNTERS,
    STATE_TENSORS,
    load_checkpoint,
    load_training,
)

FILES = [MODEL, METADATA, STATE_TENSORS, STATE_COUNTERS]


def loaded(folder, setup):
    """Everything that a checkpoint says, comparable."""
    checkpoint = load_checkpoint(folder)
    tensors, counters = load_training(folder, setup).state()
    return (
        checkpoint.network.flat.numpy().tobytes(),
        checkpoint.metadata,
        checkpoint.has_digest,
        {name: value.numpy().tobytes() for name, value in tensors.items()},
        counters,
    )


@pytest.mark.parametrize('name', FILES)
def test_damage_is_never_read_as_good(own, saved, name):
    whole = loaded(saved, own.setup)
    refused = 0
    for content in mutations((saved / name).read_bytes(), 60):
        (saved / name).write_bytes(content)
        try:
            found = loaded(saved, own.setup)
        except UserError as error:
            assert str(error).startswith(str(saved / name))
            assert '\n' not in str(error)
            refused += 1
        else:
            assert found == whole
    assert refused > 50


def without_digests(folder):
    """Make of a checkpoint one of before digests were kept."""
    for path in folder.iterdir():
        if path.suffix == '.json':
            values = json.loads(path.read_text())
            assert list(values)[-1] == 'sha256'
            del values['sha256']
            path.write_text(json.dumps(values, indent=1))
        else:
            path.write_bytes(safetensors.numpy.save(safetensors.numpy.load_file(path)))


def test_checkpoints_without_digests_still_open_and_say_so(own, saved):
    whole = loaded(saved, own.setup)
    without_digests(saved)
    old = loaded(saved, own.setup)
    assert whole[2]
    assert not old[2]
    assert old[:2] + old[3:] == whole[:2] + whole[3:]
