# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""MCAP files made by hand, byte by byte, as other programs might write them."""

import struct
import zlib

import lz4.frame
from backports import zstd

MAGIC = b'\x89MCAP0\r\n'


def record(opcode, content):
    return struct.pack('<BQ', opcode, len(content)) + content


def name(text):
    return struct.pack('<I', len(text)) + text.encode()


def mcap_file(blocks, profile='ros2'):
    """An MCAP file made by hand, as another program might write it: without any index."""
    header = record(1, name(profile) + name('test'))
    end = record(15, bytes(4)) + record(2, bytes(20)) + MAGIC
    return MAGIC + header + b''.join(blocks) + end


def chunk(records, compression, checksum=None):
    pack = {'': bytes, 'lz4': lz4.frame.compress, 'zstd': zstd.compress}
    packed = pack.get(compression, bytes)(records)
    checksum = zlib.crc32(records) if checksum is None else checksum
    head = struct.pack('<QQQI', 0, 0, len(records), checksum)
    return record(6, head + name(compression) + struct.pack('<Q', len(packed)) + packed)


def topic_records(topic, kind, encoding, number):
    schema = record(3, struct.pack('<H', number) + name(kind) + name('ros2msg') + name('x y'))
    channel = struct.pack('<HH', number, number) + name(topic) + name(encoding)
    return schema + record(4, channel + struct.pack('<I', 0))


def message_record(channel, data, time=0):
    return record(5, struct.pack('<HIQQ', channel, 0, time, time) + data)
