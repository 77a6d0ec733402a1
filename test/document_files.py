# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Files that the examples of the documentation name: small, untrained, and made within a second."""

import importlib.util
import re

import numpy as np
import torch
from record_bags import FLOAT32, TYPES, multiarray, write_record

import neuron_reach as nr
from neuron_reach import messages
from neuron_reach.bags.writer import BagWriter

LIBRARIES = {'to_frame': 'pandas', 'tensorboard_log': 'tensorboard', '.onnx': 'onnx'}
"""Libraries that an example needs without importing them."""


def missing_library(block):
    """Return why an example cannot run here; None if it can."""
    names = re.findall(r'^(?:import|from) (\w+)', block, re.MULTILINE)
    names += [library for word, library in LIBRARIES.items() if word in block]
    if 'neuron_reach.nodes' in block:
        names.append('rclpy')
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return f'{missing[0]} is not installed' if missing else None


def _dqn(path):
    import stable_baselines3

    options = {'policy_kwargs': {'net_arch': [16, 16]}, 'buffer_size': 10, 'seed': 0}
    stable_baselines3.DQN('MlpPolicy', 'LunarLander-v3', **options).save(path)


def _ppo(path):
    import stable_baselines3

    stable_baselines3.PPO('MlpPolicy', 'CartPole-v1', n_steps=8, batch_size=8).save(path)


def _statistics(path):
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    VecNormalize(DummyVecEnv([lambda: gymnasium.make('LunarLander-v3')])).save(path)


def _state_dict(path):
    actor = torch.nn.Sequential(torch.nn.Linear(24, 8), torch.nn.ELU(), torch.nn.Linear(8, 4))
    torch.save({'model_state_dict': {f'actor.{k}': v for k, v in actor.state_dict().items()}}, path)


def _onnx(path):
    """Write a network with the sizes of the input and the output of the Go1 policy."""
    import onnx
    from onnx import helper, numpy_helper

    generator = np.random.default_rng(0)
    arrays = {'w1': generator.normal(0, 0.1, (48, 16)), 'w2': generator.normal(0, 0.1, (16, 12))}
    graph = helper.make_graph(
        [
            helper.make_node('MatMul', ['obs', 'w1'], ['a']),
            helper.make_node('Tanh', ['a'], ['b']),
            helper.make_node('MatMul', ['b', 'w2'], ['actions']),
        ],
        'policy',
        [helper.make_tensor_value_info('obs', onnx.TensorProto.FLOAT, [1, 48])],
        [helper.make_tensor_value_info('actions', onnx.TensorProto.FLOAT, [1, 12])],
        [numpy_helper.from_array(array.astype('f'), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph), path)


def _robot_bag(path):
    """Record the network of `_onnx` on random inputs."""
    policy = nr.load('go1_policy.onnx')
    inputs = np.random.default_rng(0).normal(size=(3, 20, 48)).astype('f')
    layers = {'input': inputs, **policy.activations(inputs)}
    write_record(path, nr.ActivityRecord.from_arrays(layers))


def _walk(path):
    """Write steps, activations and an IMU, 20 steps of 20 ms, an IMU message every 5 ms."""
    types = TYPES.types
    kinds = {
        '/steps': 'std_msgs/msg/Header',
        '/activations/hidden_1': FLOAT32,
        '/imu/data': 'sensor_msgs/msg/Imu',
    }

    def header(milliseconds, name=''):
        stamp = types['builtin_interfaces/msg/Time'](0, milliseconds * 1_000_000)
        return types['std_msgs/msg/Header'](stamp, name)

    def imu(milliseconds):
        vector, no = types['geometry_msgs/msg/Vector3'], np.zeros(9)
        still = types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)
        turning = vector(0.0, 0.0, 0.001 * milliseconds)
        message = types['sensor_msgs/msg/Imu'](
            header(milliseconds), still, no, turning, no, vector(0.0, 0.0, 9.8), no
        )
        return TYPES.serialize_cdr(message, kinds['/imu/data'])

    with BagWriter(path, 'mcap') as bag:
        for topic, kind in kinds.items():
            bag.add_topic(topic, kind)
        for milliseconds in range(0, 400, 5):
            bag.write('/imu/data', milliseconds * 1_000_000, imu(milliseconds))
            step, rest = divmod(milliseconds, 20)
            if not rest:
                stamped = header(milliseconds, f'0:{step}')
                raw = TYPES.serialize_cdr(stamped, kinds['/steps'])
                bag.write('/steps', milliseconds * 1_000_000, raw)
                values = np.full((1, 4), step, 'f')
                raw = multiarray(FLOAT32, messages.fill_fleet_step, values, 0, step, 'neuron')
                bag.write('/activations/hidden_1', milliseconds * 1_000_000, raw)


MAKERS = {
    'lander.zip': _dqn,
    'ppo.zip': _ppo,
    'vecnormalize.pkl': _statistics,
    'actor.pt': _state_dict,
    'go1_policy.onnx': _onnx,
    'go1_bag': _robot_bag,
    "'walk'": lambda _: _walk('walk'),
}
"""Functions that write the file of a name; its name may be in quotes."""
