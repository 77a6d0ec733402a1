# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Exported files compute what the policy computes, in other programs and when read again."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.networks.feed_forward import FeedForward, Layer
from neuron_reach.networks.functions import FUNCTIONS, Affine, Function, names
from neuron_reach.policies.actions import Actions
from neuron_reach.policies.feed_forward import FeedForwardPolicy

OBSERVATIONS = (3.0 * np.random.default_rng(0).normal(size=(40, 5))).astype('f')
PARAMETERS = {
    'clip': {'low': -0.5, 'high': 1.5},
    'elu': {'alpha': 0.7},
    'leaky_relu': {'slope': 0.2},
    'softplus': {'beta': 2.0},
}


def affine(width, kind, seed):
    rng = np.random.default_rng(seed)
    return Affine(rng.normal(size=width).astype(kind), rng.uniform(0.5, 2.0, width).astype(kind))


def made(name='tanh', kind='f', actions=None):
    """Return a policy with a function, with normalization before and scaling after it."""
    rng = np.random.default_rng(1)
    layers = [
        (rng.normal(size=(outputs, inputs)).astype(kind), rng.normal(size=outputs).astype(kind))
        for inputs, outputs in [(5, 9), (9, 4), (4, 3)]
    ]
    function = Function.of(name, **PARAMETERS.get(name, {}))
    steps = [(function,), (function, affine(4, kind, 2)), (Function.of('tanh'),)]
    network = FeedForward(
        tuple(Layer(*parts, each) for parts, each in zip(layers, steps, strict=True)),
        (affine(5, kind, 3), Function.of('clip', low=-2.0, high=2.0)),
    )
    return FeedForwardPolicy(network, actions)


def shown(layer):
    return names(layer.steps)


@pytest.mark.parametrize(('name', 'kind'), [*((name, 'f') for name in FUNCTIONS), ('elu', float)])
def test_onnx_files_compute_the_same(name, kind, tmp_path):
    runtime, onnx = pytest.importorskip('onnxruntime'), pytest.importorskip('onnx')
    policy = made(name, kind)
    path = policy.export(tmp_path / 'policy.onnx')
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(path, providers=['CPUExecutionProvider'])
    expected = policy.outputs(OBSERVATIONS)
    (found,) = session.run(['output'], {'observation': OBSERVATIONS})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    (single,) = session.run(['output'], {'observation': OBSERVATIONS[:1]})
    np.testing.assert_allclose(single, expected[:1], rtol=1e-5, atol=1e-5)
    again = nr.load(path)
    if name != 'softplus':  # whose beta becomes a part of the weights
        assert [*map(shown, again.network.layers)] == [*map(shown, policy.network.layers)]
    np.testing.assert_allclose(again.outputs(OBSERVATIONS), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('ending', ['onnx', 'safetensors'])
def test_actions_stay_known(ending, tmp_path):
    bounds = Actions('continuous', (-1.0,) * 3, (0.1, 0.2, 0.3))
    for actions in (bounds, Actions('argmax'), Actions('multi_discrete', groups=(1, 2)), Actions()):
        policy = made(actions=actions)
        again = nr.load(policy.export(tmp_path / f'policy.{ending}'))
        assert again.actions == actions
        np.testing.assert_allclose(again.act(OBSERVATIONS), policy.act(OBSERVATIONS), rtol=1e-5)


@pytest.mark.parametrize('kind', ['f', float])
def test_safetensors_files_are_the_same_to_the_bit(kind, tmp_path):
    policy = made('elu', kind)
    path = policy.export(tmp_path / 'policy.safetensors')
    again = nr.load(path)
    assert again.network.digest == policy.network.digest
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(nr.UserError, match='is damaged'):
        nr.load(path)


PROGRAM = """
#include <stdio.h>
#include "my-policy.h"
int main(void)
{
    float input[5], output[3];
    while (scanf("%f %f %f %f %f", input, input + 1, input + 2, input + 3, input + 4) == 5) {
        my_policy_compute(input, output);
        printf("%.9g %.9g %.9g\\n", output[0], output[1], output[2]);
    }
    return 0;
}
"""


@pytest.mark.parametrize('name', FUNCTIONS)
def test_c_headers_compute_the_same(name, tmp_path):
    compiler = shutil.which('cc')
    if compiler is None:
        pytest.skip('there is no C compiler')
    policy = made(name)
    policy.export(tmp_path / 'my-policy.h')
    (tmp_path / 'main.c').write_text(PROGRAM)
    flags = ['-std=c99', '-Wall', '-Wextra', '-Werror', '-pedantic']
    subprocess.run([compiler, *flags, 'main.c', '-o', 'main', '-lm'], cwd=tmp_path, check=True)
    given = '\n'.join(' '.join(f'{value:.9g}' for value in row) for row in OBSERVATIONS)
    result = subprocess.run([tmp_path / 'main'], input=given, capture_output=True, text=True)
    found = np.array([line.split() for line in result.stdout.splitlines()], float)
    np.testing.assert_allclose(found, policy.outputs(OBSERVATIONS), rtol=1e-5, atol=1e-5)


def test_policies_of_the_reaching_task_are_exported(policy, tmp_path):
    runtime = pytest.importorskip('onnxruntime')
    observations = np.random.default_rng(0).normal(size=(7, 6)).astype('f')
    path = policy.export(str(tmp_path / 'policy.onnx'))
    (found,) = runtime.InferenceSession(path).run(None, {'observation': observations})
    np.testing.assert_allclose(found, policy.outputs(observations), rtol=1e-5, atol=1e-5)
    again = nr.load(path)
    np.testing.assert_array_equal(again.act(observations), policy.act(observations))


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('policy.tflite', r'files can end in .onnx, .safetensors, .h, or in .zip if the policy'),
        ('policy', 'cannot be exported to'),
        ('policy.zip', 'or in .zip if the policy comes from a zip of stable-baselines3'),
        ('missing/policy.onnx', 'cannot be written: No such file'),
        ('folder.onnx', 'cannot be written: Is a directory'),
    ],
)
def test_what_cannot_be_written_is_one_line_and_leaves_nothing(name, words, tmp_path):
    (tmp_path / 'folder.onnx').mkdir()
    with pytest.raises(nr.UserError, match=words) as error:
        made().export(tmp_path / name)
    assert '\n' not in str(error.value)
    assert [item.name for item in tmp_path.iterdir()] == ['folder.onnx']


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'onnx', None)
    with pytest.raises(nr.UserError, match='-m pip install onnx'):
        made().export(Path(tmp_path / 'policy.onnx'))
