# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Bags of `ros2 bag record --compression-format zstd`, by file and by message."""

import shutil

import pytest
from backports import zstd
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from neuron_reach.bags import packed
from neuron_reach.bags.reader import BagReader
from neuron_reach.errors import UserError

STRING = 'std_msgs/msg/String'
TEXTS = [f'text {number} ' + 'x' * 60 for number in range(300)]
MODES = pytest.mark.parametrize('mode', ['FILE', 'MESSAGE'])


@pytest.fixture
def write_compressed(tmp_path, storage, types, text_message):
    def write(mode):
        plugin = StoragePlugin[storage.upper()]
        writer = Writer(tmp_path / 'bag', version=8, storage_plugin=plugin)
        writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
        with writer:
            topic = writer.add_connection('/arm/checkpoint', STRING, typestore=types)
            for time, text in enumerate(TEXTS):
                writer.write(topic, time, text_message(text))
        return next(item for item in (tmp_path / 'bag').iterdir() if item.suffix != '.yaml')

    return write


def texts_of(reader):
    return [message.data for _, _, message in reader.messages()]


@MODES
def test_both_modes_are_read_with_and_without_metadata(write_compressed, storage, mode):
    file = write_compressed(mode)
    before = sorted(file.parent.iterdir())
    reader = BagReader(file.parent)
    assert reader.topics == {'/arm/checkpoint': STRING}
    assert reader.storage == storage
    assert texts_of(reader) == texts_of(reader) == TEXTS
    assert reader.incomplete is None
    assert sorted(file.parent.iterdir()) == before
    assert texts_of(BagReader(file)) == TEXTS
    (file.parent / 'metadata.yaml').unlink()
    assert texts_of(BagReader(file.parent)) == TEXTS


def test_unpacked_files_are_unlinked(write_compressed, tmp_path, monkeypatch):
    place = tmp_path / 'place'
    place.mkdir()
    monkeypatch.setattr('tempfile.tempdir', str(place))
    reader = BagReader(write_compressed('FILE'))
    assert list(place.iterdir()) == []
    assert texts_of(reader) == TEXTS


def test_a_recorder_killed_during_compression(write_compressed):
    file = write_compressed('FILE')
    file.with_suffix('').write_bytes(zstd.decompress(file.read_bytes()))
    file.write_bytes(file.read_bytes()[:50])
    reader = BagReader(file.parent)
    assert texts_of(reader) == TEXTS
    assert f'{file.name} is missing' in reader.incomplete


@MODES
def test_truncated_files_are_read_to_their_end(write_compressed, storage, mode):
    file = write_compressed(mode)
    whole = file.read_bytes()
    for content in (whole[:-100], whole[: len(whole) // 2], whole[:-4] + bytes(4)):
        file.write_bytes(content)
        try:
            reader = BagReader(file)
        except UserError as error:
            assert '\n' not in str(error)
            continue
        texts = texts_of(reader)
        assert texts == TEXTS[: len(texts)]
        assert reader.incomplete


def test_other_compressions_are_reported(write_compressed):
    file = write_compressed('MESSAGE')
    metadata = file.parent / 'metadata.yaml'
    text = metadata.read_text()
    assert 'compression_format: zstd' in text
    metadata.write_text(text.replace('compression_format: zstd', 'compression_format: fake'))
    with pytest.raises(UserError, match="compressed with 'fake'; only zstd can be read"):
        BagReader(file.parent)


def test_content_that_is_too_large_is_not_unpacked(tmp_path, monkeypatch):
    file = tmp_path / 'x.db3.zstd'
    file.write_bytes(zstd.compress(bytes(300 * 2**20)))
    with pytest.raises(UserError, match='far more than it can hold'):
        BagReader(file)
    monkeypatch.setattr(packed, '_ROOM', 2**20)
    compressor = zstd.ZstdCompressor()  # that does not know how much comes
    parts = [compressor.compress(bytes(2**20)) for _ in range(10)]
    file.write_bytes(b''.join([*parts, compressor.flush()]))
    with pytest.raises(UserError, match='far more than it can hold'):
        BagReader(file)


def test_a_full_disk_is_reported_in_one_line(write_compressed, monkeypatch):
    file = write_compressed('FILE')
    file.write_bytes(zstd.compress(zstd.decompress(file.read_bytes())))  # says how much it holds
    usage = shutil.disk_usage('/')._replace(free=10)
    monkeypatch.setattr('shutil.disk_usage', lambda _: usage)
    with pytest.raises(UserError, match=r'no room to unpack it in .*; choose another place'):
        BagReader(file)
