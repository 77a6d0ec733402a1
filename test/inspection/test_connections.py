# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The file that connects a policy to a robot."""

import pytest

from neuron_reach.errors import UserError
from neuron_reach.inspection.connections import read_connections

INPUT = '{topic: imu, type: sensor_msgs/msg/Imu, field: angular_velocity}'
FILE = f"""
rate: 50
inputs:
  - {INPUT}
  - {{topic: joints, type: sensor_msgs/msg/JointState, field: [position, velocity], names: [a, b]}}
  - {{previous_action: true, scale: 0.5}}
outputs: {{topic: commands, type: std_msgs/msg/Float64MultiArray, limits: [-1, 1]}}
"""


@pytest.fixture
def read(tmp_path):
    def begin(text):
        path = tmp_path / 'robot.yaml'
        path.write_text(text)
        return read_connections(path)

    return begin


def test_a_file_is_read_with_the_defaults_of_what_it_leaves_out(read):
    found = read(FILE)
    assert (found.timing.rate, found.timing.stale_after) == (50.0, 0.2)
    imu, joints, previous = found.inputs
    assert imu.field == ('angular_velocity',)
    assert (imu.scale, imu.offset, imu.features) == ((1.0,), (0.0,), ('value',))
    assert (joints.field, joints.names) == (('position', 'velocity'), ('a', 'b'))
    assert (previous.previous_action, previous.scale) == (True, (0.5,))
    assert found.outputs.limits == ((-1.0, 1.0),)
    pairs = read(FILE.replace('limits: [-1, 1]', 'limits: [[-1, 1], [0, 2.5]]'))
    assert pairs.outputs.limits == ((-1.0, 1.0), (0.0, 2.5))
    assert read(f'trigger: imu\ninputs: [{INPUT}]').outputs is None
    for topic in ('/Imu_2/data', '~/imu', 'left/imu', '{node}/imu'):
        named = INPUT.replace('topic: imu', f"topic: '{topic}'")
        assert read(f'rate: 1\ninputs: [{named}]').inputs[0].topic == topic


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('rate: 50', 'rte: 50', "unknown key 'rte' (did you mean rate?)"),
        ('rate: 50', '', 'needs either rate or trigger'),
        ('rate: 50', 'rate: 50\ntrigger: imu', 'needs either rate or trigger'),
        ('rate: 50', 'trigger: camera', "trigger 'camera' is not the topic of an input"),
        ('rate: 50', 'rate: fast', 'rate must be a number from 0 to 10000'),
        ('rate: 50', 'rate: 50\nstale_after: 0', 'stale_after must be greater than 0'),
        ('topic: imu', 'topc: imu', "inputs[0]: unknown key 'topc' (did you mean topic?)"),
        ('topic: imu, ', '', 'inputs[0]: topic is missing'),
        (', field: angular_velocity', '', 'inputs[0]: field is missing'),
        ('names: [a, b]', 'features: [sine]', "not 'sine' (did you mean sin?)"),
        ('scale: 0.5', 'scale: half', 'inputs[2]: scale must be a number or a list of numbers'),
        ('scale: 0.5', 'topic: imu', "inputs[2] (previous_action): unknown key 'topic'"),
        ('topic: joints', 'topic: imu', 'topic imu is of two types'),
        ('topic: joints', 'topic: "my joints"', "inputs[1]: topic 'my joints' is no name of"),
        ('topic: joints', 'topic: joints//0', 'is no name of a topic'),
        ('topic: joints', 'topic: joints/', 'is no name of a topic'),
        ('topic: joints', r'topic: "j\e[31m"', r"topic 'j\x1b[31m' is no name of a topic"),
        ('limits: [-1, 1]', 'limits: [1, -1]', 'limits must be [low, high] with low < high'),
        ('limits: [-1, 1]', 'limits: 3', 'limits must be [low, high] with low < high'),
        (FILE, 'rate: 50\ninputs: []', 'inputs must be a list of at least one topic'),
        (FILE, 'rate: 50\ninputs: [imu]', 'inputs[0] must be `key: value` pairs'),
        (FILE, 'inputs: !!python/object:os.system []', 'YAML tags such as'),
    ],
)
def test_what_is_wrong_is_told_in_one_line(read, old, new, words):
    assert old in FILE
    with pytest.raises(UserError) as error:
        read(FILE.replace(old, new))
    assert words in str(error.value)
    assert 'robot.yaml' in str(error.value)
    assert '\n' not in str(error.value)
