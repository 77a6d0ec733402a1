# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""ONNX files compute what onnxruntime computes, or are refused in one line."""

from pathlib import Path

import numpy as np
import pytest

import neuron_reach as nr
from neuron_reach.networks.functions import FUNCTIONS, Function, names

onnx = pytest.importorskip('onnx')
helper, numpy_helper = onnx.helper, onnx.numpy_helper
SHARED = Path(__file__).parents[3] / 'shared' / 'policies'
RNG = np.random.default_rng(0)
W1, B1 = RNG.normal(size=(7, 5)).astype('f'), RNG.normal(size=7).astype('f')
W2, B2 = RNG.normal(size=(3, 7)).astype('f'), RNG.normal(size=3).astype('f')
CENTER, SCALE = RNG.normal(size=5).astype('f'), RNG.uniform(0.5, 2.0, 5).astype('f')
OBSERVATIONS = (2.0 * RNG.normal(size=(9, 5))).astype('f')


def node(kind, inputs, output='', **options):
    outputs = (output or 'y').split()
    return helper.make_node(kind, inputs.split(), outputs, f'{kind}_{outputs[0]}', **options)


def model(nodes, constants=None, *, inputs=None, outputs=('y',), opset=17, kind=1, ir=8):
    """Return a model; inputs are shapes by name, the first size is that of the batch."""
    inputs = {'x': ('n', 5)} if inputs is None else inputs
    graph = helper.make_graph(
        nodes,
        'graph',
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=ir)


WEIGHTS = {'w1': W1, 'b1': B1, 'w2': W2, 'b2': B2}


def mlp(middle, constants=None, **options):
    """Return a model with some nodes from `h` to `a` between two layers."""
    nodes = [
        node('Gemm', 'x w1 b1', 'h', transB=1),
        *middle,
        node('Gemm', 'a w2 b2', 'y', transB=1),
    ]
    return model(nodes, WEIGHTS | (constants or {}), **options)


def saved(folder, made, name='policy.onnx'):
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def check(folder, made, hidden=(), observations=OBSERVATIONS, sizes=None, part=None):
    """Compare outputs and hidden activations with those of onnxruntime; return the policy."""
    runtime = pytest.importorskip('onnxruntime')
    policy = nr.load(saved(folder, made), part=part)
    shown = onnx.ModelProto()
    shown.CopyFrom(made)
    first = part or made.graph.output[0].name
    known = {each.name for each in made.graph.output}
    names = [first, *hidden]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = runtime.InferenceSession(
        shown.SerializeToString(), providers=['CPUExecutionProvider']
    )
    kinds = {'tensor(double)': float, 'tensor(float)': 'f'}
    widths = [each.shape[-1] for each in session.get_inputs()]
    ends = np.cumsum([w if isinstance(w, int) else policy.sizes[0] for w in widths])[:-1]
    parts = np.split(observations, ends, axis=1)
    fed = {
        each.name: part.reshape(len(part), *each.shape[1:-1], -1).astype(kinds[each.type])
        for each, part in zip(session.get_inputs(), parts, strict=True)
    }
    fixed = isinstance(session.get_inputs()[0].shape[0], int)
    rows = [{k: v[i : i + 1] for k, v in fed.items()} for i in range(len(observations))]
    runs = [session.run(names, row) for row in rows] if fixed else [session.run(names, fed)]
    expected = [
        np.concatenate(some).reshape(len(observations), -1) for some in zip(*runs, strict=True)
    ]
    found = policy.activations(observations)
    for name, values in zip(('output', *policy.layers[1:-1]), expected, strict=False):
        atol = 1e-5 * np.abs(values).max()
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=atol, err_msg=name)
    assert sizes in (None, policy.sizes)
    return policy


@pytest.mark.parametrize('name', ['go1_policy', 'leap_reorient_policy'])
def test_public_policies_compute_what_onnxruntime_computes(name, tmp_path):
    path = SHARED / f'{name}.onnx'
    if not path.exists():
        pytest.skip(f'{path} is not there')
    made = onnx.load(path)
    hidden = [each.output[0] for each in made.graph.node if each.op_type == 'Mul'][1:]
    inputs = made.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    observations = np.random.default_rng(0).normal(size=(3, inputs)).astype('f')
    policy = check(tmp_path, made, hidden, observations)
    assert len(policy.sizes) == 5
    assert policy.origin.format == 'ONNX'
    assert policy.origin.library.startswith('tf2onnx')
    kinds = [[str(step) for step in layer.steps] for layer in policy.network.layers]
    assert kinds == [['silu']] * 3 + [['tanh']]


FUNCTION_NODES = {
    'relu': [node('Relu', 'h', 'a')],
    'leaky_relu(slope=0.2)': [node('LeakyRelu', 'h', 'a', alpha=0.2)],
    'leaky_relu(slope=0.3)': [node('PRelu', 'h slope', 'a')],
    'tanh': [node('Tanh', 'h', 'a')],
    'elu': [node('Elu', 'h', 'a')],
    'elu(alpha=0.5)': [node('Elu', 'h', 'a', alpha=0.5)],
    'selu': [node('Selu', 'h', 'a')],
    'sigmoid': [node('Sigmoid', 'h', 'a')],
    'silu': [node('Sigmoid', 'h', 's'), node('Mul', 's h', 'a')],
    'softplus': [node('Softplus', 'h', 'a')],
    'softsign': [node('Softsign', 'h', 'a')],
    'hardsigmoid': [node('HardSigmoid', 'h', 'a', alpha=1 / 6)],
    'hardswish': [node('HardSwish', 'h', 'a')],
    'clip(low=-0.5, high=2)': [node('Clip', 'h low high', 'a')],
    'clip(high=2)': [node('Min', 'h high', 'a')],
    'mish': [node('Softplus', 'h', 's'), node('Tanh', 's', 't'), node('Mul', 'h t', 'a')],
    'gelu': [
        node('Div', 'h root', 's'),
        node('Erf', 's', 'e'),
        node('Add', 'e one', 'p'),
        node('Mul', 'h p', 'q'),
        node('Mul', 'q half', 'a'),
    ],
    'gelu_tanh': [
        node('Mul', 'h h', 'h2'),
        node('Mul', 'h2 h', 'h3'),
        node('Mul', 'h3 cubic', 'c'),
        node('Add', 'h c', 'i'),
        node('Mul', 'i factor', 'j'),
        node('Tanh', 'j', 't'),
        node('Add', 't one', 'p'),
        node('Mul', 'h half', 'g'),
        node('Mul', 'g p', 'a'),
    ],
}
NUMBERS = {
    name: np.float32(value)
    for name, value in {
        'slope': 0.3,
        'low': -0.5,
        'high': 2.0,
        'root': np.sqrt(2.0),
        'one': 1.0,
        'half': 0.5,
        'cubic': 0.044715,
        'factor': np.sqrt(2.0 / np.pi),
    }.items()
}


@pytest.mark.parametrize('name', FUNCTION_NODES)
def test_functions_compute_what_onnxruntime_computes(name, tmp_path):
    made = mlp(FUNCTION_NODES[name], NUMBERS)
    policy = check(tmp_path, made, ['a'], sizes=(5, 7, 3))
    assert [str(step) for step in policy.network.layers[0].steps] == [name]
    assert not policy.network.layers[1].steps


@pytest.mark.parametrize(
    ('middle', 'name'),
    [
        ([node('Gelu', 'h', 'a')], 'gelu'),
        ([node('Gelu', 'h', 'a', approximate='tanh')], 'gelu_tanh'),
        ([node('Mish', 'h', 'a')], 'mish'),
        ([node('HardSigmoid', 'h', 's', alpha=1 / 6), node('Mul', 'h s', 'a')], 'hardswish'),
        ([node('Max', 'h zero', 'a')], 'relu'),
        ([node('Mul', 'h tenth', 's'), node('Max', 's h', 'a')], 'leaky_relu(slope=0.1)'),
        (
            [
                node('Exp', 'h', 'e'),
                node('Sub', 'e one', 'm'),
                node('Greater', 'h zero', 'g'),
                node('Where', 'g h m', 'a'),
            ],
            'elu',
        ),
        (
            [
                node('Neg', 'h', 'n'),
                node('Exp', 'n', 'e'),
                node('Add', 'e one', 'p'),
                node('Div', 'h p', 'a'),
            ],
            'silu',
        ),
    ],
)
def test_newer_and_composed_functions_are_known(middle, name, tmp_path):
    numbers = NUMBERS | {'zero': np.float32(0.0), 'tenth': np.float32(0.1)}
    policy = check(tmp_path, mlp(middle, numbers, opset=20, ir=9), ['a'])
    assert [str(step) for step in policy.network.layers[0].steps] == [name]


def joined(kind, inputs, output='y', **options):
    return node(kind, inputs, output, domain='com.microsoft', **options)


FUSED = {
    'relu': [joined('FusedGemm', 'x w1 b1', 'a', transB=1, activation='Relu')],
    'leaky_relu(slope=0.2)': [
        joined(
            *('FusedGemm', 'x w1 b1', 'a'),
            **{'transB': 1, 'activation': 'LeakyRelu', 'activation_alpha': 0.2},
        )
    ],
    'elu(alpha=0.5)': [
        joined(
            *('FusedGemm', 'x w1 b1', 'a'),
            **{'transB': 1, 'activation': 'Elu', 'activation_alpha': 0.5},
        )
    ],
    'silu': [
        node('Gemm', 'x w1 b1', 'h', transB=1),
        joined('QuickGelu', 'h', 'a', alpha=1.0),
    ],
    'gelu': [
        joined('FusedMatMul', 'x w1', 'h', transB=1),
        joined('BiasGelu', 'h b1', 'a'),
    ],
    'gelu_tanh': [node('Gemm', 'x w1 b1', 'h', transB=1), joined('FastGelu', 'h', 'a')],
}


@pytest.mark.parametrize('name', FUSED)
def test_nodes_that_onnxruntime_joins_are_known(name, tmp_path):
    made = model([*FUSED[name], node('Gemm', 'a w2 b2', 'y', transB=1)], WEIGHTS)
    made.opset_import.append(helper.make_opsetid('com.microsoft', 1))
    policy = check(tmp_path, made, hidden=['a'])
    assert names(policy.network.layers[0].steps) == name


def test_other_domains_are_named(tmp_path):
    made = mlp([node('Attention', 'h', 'a', domain='com.microsoft')])
    text = refusal(saved(tmp_path, made))
    assert "node 'Attention_a' (com.microsoft.Attention) does not fit" in text


def test_shape_arithmetic_of_exporters_is_followed(tmp_path):
    """As the exporters of PyTorch write `unflatten`, and scaling without constant folding."""
    nodes = [
        node('Shape', 'x', 'shape'),
        node('Mod', 'last rank', 'place'),
        node('Gather', 'shape place', 'width', axis=0),
        node('Concat', 'minus width', 'new', axis=0),
        node('Reshape', 'x new', 'same'),
        node('CastLike', 'quarter x', 'factor'),
        node('Mul', 'same factor', 'scaled'),
        node('Gemm', 'scaled w1 b1', 'y', transB=1),
    ]
    whole = {'last': np.array([-1]), 'rank': np.array([2]), 'minus': np.array([-1])}
    check(tmp_path, model(nodes, WEIGHTS | whole | {'quarter': np.array(0.25)}))


def test_what_distributions_add_around_a_mean_folds(tmp_path):
    """As policies of stable-baselines3 are exported: the mean is expanded to mean + deviation."""
    nodes = [
        node('Gemm', 'x w1 b1', 'mean', transB=1),
        node('Gemm', 'x w1 b1', 'log', transB=1),
        node('Exp', 'log', 'deviation'),
        node('Add', 'mean deviation', 'sum'),
        node('Shape', 'sum', 'shape'),
        node('Expand', 'mean shape', 'wide'),
        node('Tanh', 'wide', 'y'),
    ]
    check(tmp_path, model(nodes, WEIGHTS))


def test_the_greatest_probability_is_the_greatest_logit(tmp_path):
    nodes = [
        node('Gemm', 'x w1 b1', 'logits', transB=1),
        node('ReduceLogSumExp', 'logits', 'total', axes=[1], keepdims=1),
        node('Sub', 'logits total', 'normal'),
        node('Softmax', 'normal', 'chances'),
        node('ArgMax', 'chances', 'y', axis=1, keepdims=0),
    ]
    policy = nr.load(saved(tmp_path, model(nodes, WEIGHTS)))
    assert policy.actions.kind == 'argmax'
    np.testing.assert_allclose(
        policy.outputs(OBSERVATIONS), OBSERVATIONS @ W1.T + B1, rtol=1e-5, atol=1e-5
    )


def test_a_value_beside_chosen_numbers_is_not_the_policy(tmp_path):
    nodes = [
        node('Gemm', 'x w1 b1', 'logits', transB=1),
        node('ArgMax', 'logits', 'one', axis=1, keepdims=1),
        node('Concat', 'one one', 'y', axis=1),
        node('Gemm', 'x w1 b1', 'z', transB=1),
    ]
    made = model(nodes, WEIGHTS, outputs=('y', 'z'))
    made.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    text = refusal(saved(tmp_path, made))
    assert 'none of its outputs is that of a policy; choose one by part=: y, z' in text


def test_outputs_without_inputs_are_passed_over(tmp_path):
    """As the version number that ML-Agents writes first."""
    made = model(
        [
            node('Identity', 'version', 'number'),
            node('Gemm', 'x w1 b1', 'actions', transB=1),
        ],
        WEIGHTS | {'version': np.array([3.0], 'f')},
        outputs=('number', 'actions'),
    )
    assert nr.load(saved(tmp_path, made)).sizes == (5, 7)


def test_hard_sigmoids_of_other_slopes_are_clipped_lines(tmp_path):
    policy = check(tmp_path, mlp([node('HardSigmoid', 'h', 'a')]), ['a'])
    assert [str(step) for step in policy.network.layers[0].steps] == ['clip(low=0, high=1)']


def test_every_function_of_ours_is_tested():
    tested = {name.partition('(')[0] for name in FUNCTION_NODES}
    assert tested == set(FUNCTIONS)
    assert str(Function.of('relu')) in FUNCTION_NODES


NORMALIZED = [node('Sub', 'x center', 'c'), node('Mul', 'c scale', 'z')]


def test_normalization_in_front_is_preparation(tmp_path):
    nodes = [
        *NORMALIZED,
        node('Clip', 'z low high', 'l'),
        node('MatMul', 'l w1t', 'm'),
        node('Add', 'b1 m', 'h'),
        node('Tanh', 'h', 'a'),
        node('Gemm', 'a w2 b2', 'y', transB=1, alpha=0.5, beta=2.0),
    ]
    made = model(nodes, WEIGHTS | NUMBERS | {'w1t': W1.T, 'center': CENTER, 'scale': SCALE})
    policy = check(tmp_path, made, ['a'], sizes=(5, 7, 3))
    affine, clip = policy.network.preparation
    np.testing.assert_array_equal(affine.center, CENTER)
    np.testing.assert_array_equal(affine.scale, SCALE)
    assert str(clip) == 'clip(low=-0.5, high=2)'


def test_division_scaling_and_constants_fold(tmp_path):
    """Scaling before a function belongs to the weights, scaling after it stays."""
    nodes = [
        node('Transpose', 'w1', 'w1t'),
        node('Identity', 'x', 'i'),
        node('MatMul', 'i w1t', 'm'),
        node('Div', 'm two', 'd'),
        node('Sub', 'one d', 'h'),
        node('Relu', 'h', 'r'),
        node('Mul', 'r gain', 'a'),
        node('Dropout', 'a', 'o'),
        node('Cast', 'o', 'k', to=1),
        node('Gemm', 'k w2 b2', 'u', transB=1),
        node('Tanh', 'u', 't'),
        node('Mul', 't two', 's'),
        node('Add', 's one', 'y'),
    ]
    more = {'two': np.float32(2.0), 'gain': RNG.uniform(1, 2, 7).astype('f')}
    policy = check(tmp_path, model(nodes, WEIGHTS | NUMBERS | more), ['a'], sizes=(5, 7, 3))
    assert [str(step) for step in policy.network.layers[0].steps] == ['relu', 'affine']
    assert [str(step) for step in policy.network.layers[1].steps] == ['tanh', 'affine']


def test_batch_normalization_folds(tmp_path):
    four = {name: RNG.uniform(0.5, 2.0, 7).astype('f') for name in ('s', 'b', 'm', 'v')}
    middle = [node('BatchNormalization', 'h s b m v', 'n'), node('Relu', 'n', 'a')]
    policy = check(tmp_path, mlp(middle, four), ['a'])
    assert [str(step) for step in policy.network.layers[0].steps] == ['relu']


def test_selections_and_shapes_around_layers_fold(tmp_path):
    """Some of the inputs in another order, some of the outputs, with shapes computed on the way."""
    nodes = [
        node('Gather', 'x order', 'g', axis=1),
        node('Shape', 'g', 'shape'),
        node('Reshape', 'g shape', 'r'),
        node('Unsqueeze', 'r last', 'u'),
        node('Flatten', 'u', 'f'),
        node('Slice', 'f begin end last', 'x3'),
        node('Slice', 'x begin two last', 'x2'),
        node('Concat', 'x2 x3', 'j', axis=-1),
        node('Gemm', 'j w1 b1', 'h', transB=1),
        node('Elu', 'h', 'a'),
        node('Gemm', 'a w2 b2', 'o', transB=1),
        node('Split', 'o sizes', 'left right', axis=1),
        node('Tanh', 'left', 'y'),
    ]
    constants = {
        'order': np.array([4, 0, 2, 1]),
        'last': np.array([1]),
        'begin': np.array([0]),
        'end': np.array([3]),
        'two': np.array([2]),
        'sizes': np.array([2, 1]),
    }
    check(tmp_path, model(nodes, WEIGHTS | constants), ['a'], sizes=(5, 7, 2))


def test_several_inputs_are_concatenated_in_their_order(tmp_path):
    nodes = [
        node('Mul', 'p two', 'scaled'),
        node('Concat', 'q scaled', 'x', axis=1),
        node('Gemm', 'x w1 b1', 'h', transB=1),
        node('Relu', 'h', 'a'),
        node('Gemm', 'a w2 b2', 'y', transB=1),
    ]
    constants = WEIGHTS | {'two': np.float32(2.0)}
    made = model(nodes, constants, inputs={'p': ('n', 2), 'q': ('n', 3)})
    policy = check(tmp_path, made, ['a'], sizes=(5, 7, 3))
    assert [str(step) for step in policy.network.preparation] == ['affine']


def test_branches_of_the_same_depth_join(tmp_path):
    """Two layers of the same inputs side by side, and a sum of two, are one layer."""
    nodes = [
        node('Gemm', 'x w1 b1', 'h1', transB=1),
        node('Gemm', 'x w3 b1', 'h2', transB=1),
        node('Tanh', 'h1', 'a1'),
        node('Tanh', 'h2', 'a2'),
        node('Concat', 'a1 a2', 'a', axis=1),
        node('Slice', 'a zero seven one', 'first'),
        node('Slice', 'a seven end one', 'second'),
        node('Gemm', 'first w2 b2', 'u', transB=1),
        node('MatMul', 'second w4', 'v'),
        node('Add', 'u v', 'y'),
    ]
    more = {'w3': RNG.normal(size=(7, 5)).astype('f'), 'w4': RNG.normal(size=(7, 3)).astype('f')}
    more |= {'zero': [0], 'one': [1], 'seven': [7], 'end': [14]}
    check(tmp_path, model(nodes, WEIGHTS | more), ['a'], sizes=(5, 14, 3))


@pytest.mark.parametrize('shape', [(1, 5), ('n', 5), (5,), (1, 1, 5), ('n', 'w')])
def test_inputs_of_many_shapes(shape, tmp_path):
    nodes = [
        node('MatMul', 'x w1t', 'm'),
        node('Add', 'm b1', 'h'),
        node('Relu', 'h', 'a'),
        node('MatMul', 'a w2t', 'y'),
    ]
    made = model(nodes, WEIGHTS | {'w1t': W1.T, 'w2t': W2.T}, inputs={'x': shape})
    policy = nr.load(saved(tmp_path, made))
    assert policy.sizes == (5, 7, 3)
    expected = np.maximum(OBSERVATIONS @ W1.T + B1, 0.0) @ W2.T
    np.testing.assert_allclose(policy.outputs(OBSERVATIONS), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', [np.float64, np.float16])
def test_weights_of_other_precision(kind, tmp_path):
    constants = {name: values.astype(kind) for name, values in WEIGHTS.items()}
    made = mlp([node('Tanh', 'h', 'a')], constants, kind=11 if kind == np.float64 else 10)
    path = saved(tmp_path, made)
    policy = nr.load(path)
    expected = np.tanh(OBSERVATIONS @ constants['w1'].astype(float).T + constants['b1'])
    expected = expected @ constants['w2'].astype(float).T + constants['b2']
    np.testing.assert_allclose(policy.outputs(OBSERVATIONS), expected, rtol=1e-5, atol=1e-5)
    if kind == np.float64:
        check(tmp_path, made, ['a'])
        assert policy.network.layers[0].weight.dtype == np.float64


def test_outputs_can_be_chosen(tmp_path):
    nodes = [
        node('Gemm', 'x w1 b1', 'h', transB=1),
        node('Relu', 'h', 'a'),
        node('Gemm', 'a w3 b3', 'value', transB=1),
        node('Gemm', 'a w2 b2', 'mean', transB=1),
    ]
    more = {'w3': W2[:1], 'b3': B2[:1]}
    made = model(nodes, WEIGHTS | more, outputs=('value', 'mean'))
    path = saved(tmp_path, made)
    assert nr.load(path).sizes == (5, 7, 3)
    assert nr.load(path).origin.part == 'policy'
    assert check(tmp_path, made, ['a'], part='value').sizes == (5, 7, 1)
    assert nr.load(path, part='a').sizes == (5, 7)
    with pytest.raises(nr.UserError, match="no output 'critic'; there are value, mean"):
        nr.load(path, part='critic')


def test_the_number_of_the_greatest_output_is_an_action(tmp_path):
    nodes = [
        node('Gemm', 'x w1 b1', 'h', transB=1),
        node('Relu', 'h', 'a'),
        node('Gemm', 'a w2 b2', 'q', transB=1),
        node('ArgMax', 'q', 'best', axis=1),
        node('Cast', 'best', 'y', to=7),
    ]
    policy = nr.load(saved(tmp_path, model(nodes, WEIGHTS)))
    assert policy.sizes == (5, 7, 3)
    np.testing.assert_array_equal(
        policy.act(OBSERVATIONS), policy.outputs(OBSERVATIONS).argmax(axis=1)
    )


# --- what does not fit ----------------------------------------------------------------------------


def refusal(path, **options):
    """Return the one line by which a file is refused."""
    with pytest.raises(nr.UserError) as error:
        nr.load(path, **options)
    text = str(error.value)
    assert text.startswith(str(path))
    assert '\n' not in text
    return text.removeprefix(f'{path}: ')


RNN = {'w': np.zeros((1, 4, 5), 'f'), 'r': np.zeros((1, 4, 4), 'f')}
UNFIT = {
    'recurrent': (
        [node('GRU', 'h w r', 'a', hidden_size=4)],
        "node 'GRU_a' (GRU) does not fit: rec",
    ),
    'convolution': ([node('Conv', 'h w', 'a')], "node 'Conv_a' (Conv) does not fit: convolutions"),
    'layer normalization': (
        [node('LayerNormalization', 'h b1', 'a')],
        "node 'LayerNormalization_a' (LayerNormalization) does not fit: normalization over the",
    ),
    'mean': ([node('ReduceMean', 'h', 'a')], "node 'ReduceMean_a' (ReduceMean) does not fit"),
    'softmax': ([node('Softmax', 'h', 'a')], "node 'Softmax_a' (Softmax) does not fit: softmax"),
    'unknown': ([node('Sin', 'h', 'a')], "node 'Sin_a' (Sin) does not fit: this operator"),
    'unknown function': ([node('Exp', 'h', 'a')], 'does not fit: exp does not belong to a known'),
    'attention': ([node('MatMul', 'h h', 'a')], 'it multiplies two signals, as attention does'),
    'residual': (
        [node('Gemm', 'h w3', 'k'), node('Relu', 'k', 'l'), node('Add', 'h l', 'a')],
        "node 'Add_a' (Add) does not fit: it combines two branches",
    ),
    'two functions': (
        [
            node('Tanh', 'h', 't'),
            node('Relu', 'h', 'r'),
            node('Concat', 't r', 'c', axis=1),
            node('Slice', 'c zero seven', 'a'),
        ],
        "node 'Concat_c' (Concat) does not fit: it concatenates neurons with different functions",
    ),
    'random': ([node('RandomNormalLike', 'h', 'a')], 'random numbers are not supported'),
    'cycle': (
        [node('Add', 'h c', 'b'), node('Relu', 'b', 'c'), node('Relu', 'c', 'a')],
        "node 'Add_b' (Add) needs 'c', which no node before it computes; the graph has a cycle",
    ),
    'shapes': ([node('MatMul', 'h w3', 'k'), node('MatMul', 'k w1', 'a')], 'does not fit: it mult'),
    'sliced by zero': (
        [node('Slice', 'h zero seven zero zero', 'a')],
        "node 'Slice_a' (Slice) does not fit: is damaged: slice step cannot be zero",
    ),
    'too few operands': ([node('Add', 'h', 'a')], "node 'Add_a' (Add) does not fit"),
    'doubled and doubled': (
        [node('Identity', 'h', 'd0')]
        + [node('Concat', f'd{n} d{n}', f'd{n + 1}', axis=1) for n in range(30)]
        + [node('Identity', 'd30', 'a')],
        "node 'Concat_d18' (Concat) does not fit: it has 1835008 neurons",
    ),
    'huge constant': (
        [node('ConstantOfShape', 'huge', 'k'), node('Add', 'h k', 'a')],
        "node 'ConstantOfShape_k' (ConstantOfShape) does not fit: it is of shape",
    ),
}


@pytest.mark.parametrize('kind', UNFIT)
def test_the_first_node_that_does_not_fit_is_named(kind, tmp_path):
    nodes, words = UNFIT[kind]
    constants = RNN | {'w3': np.zeros((7, 7), 'f'), 'zero': [0], 'seven': [7]}
    text = refusal(saved(tmp_path, mlp(nodes, constants | {'huge': [10**9, 10**9]})))
    assert words in text
    assert 'supported are chains' in text or kind == 'cycle'


@pytest.mark.parametrize(
    ('made', 'words'),
    [
        (
            mlp([node('Relu', 'h', 'a')], {'w1': np.full((7, 5), np.nan, 'f')}),
            'holds infinity or NaN',
        ),
        (mlp([node('Relu', 'h', 'a')], {'w1': W1[:, :4]}), 'it multiplies (1, 5) by (4, 7)'),
        (mlp([node('Relu', 'h', 'a')], {'b1': B1[:3]}), 'it combines shapes (1, 7) and (3,)'),
        (model([node('Relu', 'x', 'y')]), 'there is no linear layer'),
        (
            mlp([node('Clip', 'h nan nan', 'a')], {'nan': np.array(np.nan, 'f')}),
            'a function with NaN: clip',
        ),
        (
            mlp(
                [node('Relu', f'h{i}' if i else 'h', f'h{i + 1}') for i in range(20_000)]
                + [node('Relu', 'h20000', 'a')]
            ),
            'more than 100 elementwise functions follow each other',
        ),
        (model([node('Identity', 'w', 'y')], {'w': W1}), 'does not depend on the inputs'),
        (
            model([node('Gemm', 'x w1', 'y')], WEIGHTS, inputs={'x': (1, 10**9)}),
            'inputs of the shapes',
        ),
        (model([], outputs=()), 'no nodes or no outputs'),
        (
            mlp([node('Relu', 'h', 'a')], outputs=('value',)),
            'none of its outputs is that of a policy',
        ),
    ],
)
def test_models_that_are_wrong_are_one_line(made, words, tmp_path):
    assert words in refusal(saved(tmp_path, made))


def test_damaged_files_are_one_line(tmp_path):
    content = mlp([node('Tanh', 'h', 'a')]).SerializeToString()
    path = tmp_path / 'policy.onnx'
    for size in (*range(1, 40), *range(40, len(content), 17)):
        path.write_bytes(content[:size])
        refusal(path)
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            nr.load(path)
        except nr.UserError as error:
            assert '\n' not in str(error)


def external(location, **entries):
    made = mlp([node('Tanh', 'h', 'a')])
    tensor = made.graph.initializer[0]
    content = tensor.raw_data
    tensor.ClearField('raw_data')
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {'location': location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return made, content


def test_values_in_files_beside_the_model_are_read(tmp_path):
    made, content = external('weights.bin', offset=3, length=4 * W1.size)
    (tmp_path / 'weights.bin').write_bytes(b'abc' + content + b'more')
    expected = nr.load(saved(tmp_path, mlp([node('Tanh', 'h', 'a')]), 'whole.onnx'))
    found = nr.load(saved(tmp_path, made))
    np.testing.assert_array_equal(found.outputs(OBSERVATIONS), expected.outputs(OBSERVATIONS))
    (tmp_path / 'weights.bin').write_bytes(content[:-4])
    assert 'w1 does not fit the file weights.bin' in refusal(tmp_path / 'policy.onnx')


@pytest.mark.parametrize(
    'location', ['missing.bin', '../outside.bin', '{}/outside.bin', 'link', '']
)
def test_values_in_other_files_are_refused(location, tmp_path):
    folder = tmp_path / 'model'
    folder.mkdir()
    made, content = external(location.format(tmp_path))
    (tmp_path / 'outside.bin').write_bytes(content)
    (folder / 'link').symlink_to(tmp_path / 'outside.bin')
    assert 'which is not beside the model' in refusal(saved(folder, made))


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, mlp([node('Tanh', 'h', 'a')]))
    monkeypatch.setitem(__import__('sys').modules, 'onnx', None)
    assert '-m pip install onnx' in refusal(path)
