"""What info says of a checkpoint."""

import json
import os

import pytest
from mutations import mutations

from neuron_reach.errors import UserError
from neuron_reach.learning.checkpoint import METADATA, MODEL
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


def test_folders_that_hold_something_else_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r'is no run folder, checkpoint or bag$'):
        describe_path(tmp_path)
    (tmp_path / 'pruning.json').touch()
    with pytest.raises(UserError, match=r'but holds results of prune \(pruning.json\)$'):
        describe_path(tmp_path)
    (tmp_path / 'bag.partial').mkdir()
    (tmp_path / 'bag.partial' / 'bag.partial.mcap').touch()
    assert describe_path(tmp_path).startswith(f'{tmp_path / "bag.partial"}: a recording that was')
