# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The graphs of the runs: arguments, phases, and the command lines of the starter."""

import json
import math
import re
import shutil
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuron_reach.bags.seal import seal
from neuron_reach.bags.writer import BagWriter
from neuron_reach.common.random_streams import step_seed
from neuron_reach.errors import UserError
from neuron_reach.launching import graph
from neuron_reach.launching.arguments import DESCRIPTIONS, argument_fields, describe_argument
from neuron_reach.launching.starter import command_of
from neuron_reach.learning.setup import Setup


@pytest.fixture(autouse=True)
def nothing_done_yet(tmp_path, monkeypatch):
    """A graph depends on what is in `runs`, where the README's first command leaves a bag."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checkpoint(tmp_path):
    """What a graph needs of the checkpoint of a 2-joint network."""
    folder = tmp_path / 'run' / 'checkpoint'
    folder.mkdir(parents=True)
    setup = Setup.from_values({'joints': 2, 'hidden': [32, 16], 'gamma': 0.5}, 'test')
    (folder / 'metadata.json').write_text(json.dumps({'options': setup.values()}))
    return folder


def names(phases):
    return [[process.name for process in (phase.leader, *phase.followers)] for phase in phases]


def parameters(phases, name):
    """Return the parameters of the first process of this name."""
    processes = [p for phase in phases for p in (phase.leader, *phase.followers)]
    return next(process.parameters for process in processes if process.name == name)


RECORDING = ['dqn_policy', 'activation_recorder', 'bag_recorder', 'arm_simulator']
PLAYING = ['dqn_policy', 'activation_recorder', 'arm_simulator']


def test_train_learns_then_records_then_reports(tmp_path):
    phases = graph.build('train', {'run_dir': str(tmp_path)})
    assert names(phases) == [PLAYING, RECORDING, ['report']]
    assert phases[1].leader.parameters['checkpoint'] == str(tmp_path / 'checkpoint')
    assert phases[1].leader.parameters['episodes'] == 300


def test_train_can_leave_out_the_recording(tmp_path):
    phases = graph.build('train', {'run_dir': str(tmp_path), 'record': '0'})
    assert names(phases) == [PLAYING, ['report']]


@pytest.mark.parametrize('file', ['model.safetensors', 'metadata.json', 'bag_0.mcap', 'x.db3.zstd'])
def test_a_checkpoint_or_bag_is_no_run_folder(tmp_path, checkpoint, file):
    folder = tmp_path / 'own'
    folder.mkdir()
    (folder / file).touch()
    given = {'run_dir': str(folder)}
    for name, more in (('train', {}), ('record', {'checkpoint': str(checkpoint)})):
        with pytest.raises(UserError, match=r'own: is a (checkpoint|bag), and can hold nothing'):
            graph.build(name, {**given, **more})
    with pytest.raises(UserError, match=r'own: is a (checkpoint|bag)'):
        graph.build('prune-train', {**given, 'checkpoint': str(checkpoint)})


def test_train_never_records_over_a_bag(tmp_path, checkpoint):
    bag, own = tmp_path / 'run' / 'bag', tmp_path / 'run' / 'checkpoint'
    bag.mkdir()
    (bag / 'bag.mcap').write_bytes(b'something')
    for more, needed in (({}, '0'), ({'record': '5000'}, '5000')):
        phases = graph.build('train', {'run_dir': str(tmp_path / 'run'), **more})
        assert names(phases) == [['checking'], PLAYING, ['report']]
        expected = ('recording', 'check', str(bag), str(own), needed)
        assert phases[0].leader.command[3:] == expected


def test_train_begins_no_other_network_beside_a_bag(tmp_path):
    """Hours later it would be clear that the bag is not of what was trained."""
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'bag.db3').write_bytes(b'something')
    for more in ({}, {'record': '0'}):
        with pytest.raises(UserError) as error:
            graph.build('train', {'run_dir': str(tmp_path), **more})
        assert_one_clear_line(error, [str(tmp_path / 'bag'), 'move it away', 'another run_dir'])


def test_a_leftover_without_a_message_is_in_nobodys_way(tmp_path, checkpoint):
    bag = checkpoint.parent / 'bag'
    for storage in ('mcap', 'sqlite3', None):
        BagWriter(bag, storage).close() if storage else bag.mkdir()
        phases = graph.build('train', {'run_dir': str(checkpoint.parent)})
        assert names(phases) == [PLAYING, RECORDING, ['report']]
        phases = graph.build('record', {'checkpoint': str(checkpoint)})
        assert names(phases) == [RECORDING, ['report']]
        shutil.rmtree(bag)


def test_run_plays_in_real_time_with_one_arm(checkpoint):
    phases = graph.build('run', {'checkpoint': str(checkpoint)})
    assert names(phases) == [PLAYING]
    assert phases[0].leader.parameters['mode'] == 'run'
    assert parameters(phases, 'arm_simulator')['clock'] == 'realtime'
    assert parameters(phases, 'arm_simulator')['arms'] == 1


@pytest.fixture
def our_gazebo(monkeypatch):
    """No Gazebo of a ROS 2 installation, but one of our own."""
    monkeypatch.setattr(graph, '_native_gazebo', lambda: False)
    monkeypatch.setattr('neuron_reach.gazebo.tree.is_installed', lambda: True)


def in_gazebo(names):
    return [['gazebo_simulator' if n == 'arm_simulator' else n for n in phase] for phase in names]


def test_gazebo_takes_the_place_of_the_kinematic_arm(our_gazebo, checkpoint):
    given = {'backend': 'gazebo', 'payload': '0.2'}
    phases = graph.build('train', given)
    assert names(phases) == in_gazebo([PLAYING, RECORDING, ['report']])
    simulator = parameters(phases, 'gazebo_simulator')
    assert (simulator['payload'], simulator['clock'], simulator['arms']) == (0.2, 'lockstep', 100)
    phases = graph.build('run', {**given, 'checkpoint': str(checkpoint)})
    assert names(phases) == in_gazebo([PLAYING])
    assert parameters(phases, 'gazebo_simulator')['clock'] == 'realtime'
    phases = graph.build('record', {**given, 'checkpoint': str(checkpoint)})
    assert names(phases) == in_gazebo([RECORDING, ['report']])


def test_gazebo_must_be_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(graph, '_native_gazebo', lambda: False)
    monkeypatch.setenv('NEURON_REACH_GAZEBO', str(tmp_path))
    with pytest.raises(UserError) as error:
        graph.build('train', {'backend': 'gazebo'})
    assert_one_clear_line(error, [str(tmp_path), 'neuron_reach gazebo install'])


@pytest.mark.parametrize('name', ['train', 'run', 'record'])
def test_the_gazebo_of_a_ros_installation_is_preferred(monkeypatch, checkpoint, name):
    """It has one arm, in real time, and a clock of its own."""
    monkeypatch.setattr(graph, '_native_gazebo', lambda: True)
    given = {'backend': 'gazebo', 'joints': '2', 'gui': 'true', 'namespace': 'left'}
    phases = graph.build(
        name,
        given
        if name == 'train'
        else {**given, 'hidden': '[32, 16]'} | {'checkpoint': str(checkpoint)},
    )
    for phase in phases[:-1] if name != 'run' else phases:
        policy = phase.leader.parameters
        assert (policy['arms'], policy['realtime'], policy['use_sim_time']) == (1, True, True)
        assert policy['start_timeout'] >= 60
        assert policy['simulator_timeout'] == 10
        command = phase.followers[-1].command
        assert command[:4] == ('ros2', 'launch', 'neuron_reach', 'gazebo.launch.py')
        assert {'joints:=2', 'gui:=true', 'payload:=0.0', 'namespace:=/left'} <= set(command)


def test_record_uses_what_the_checkpoint_was_trained_with(checkpoint):
    phases = graph.build('record', {'checkpoint': str(checkpoint), 'record': '6'})
    assert names(phases) == [RECORDING, ['report']]
    policy = phases[0].leader.parameters
    assert (policy['joints'], policy['hidden'], policy['gamma']) == (2, [32, 16], 0.5)


def test_record_finds_the_checkpoint_of_run_dir(checkpoint):
    phases = graph.build('record', {'run_dir': str(checkpoint.parent), 'record': '6'})
    assert phases[0].leader.parameters['checkpoint'] == str(checkpoint)
    again = graph.build('record', {'checkpoint': str(checkpoint.parent), 'record': '6'})
    assert again == graph.build('record', {'checkpoint': str(checkpoint), 'record': '6'})


@pytest.mark.parametrize(
    ('own', 'parent', 'full'),
    [
        ('', '/', '/'),
        ('', '/robots', '/robots'),
        ('left', '/', '/left'),
        ('left/arm', '/robots', '/robots/left/arm'),
        ('left/', '/robots/', '/robots/left'),
        ('/left', '/robots', '/left'),
        ('/', '/robots', '/'),
    ],
)
def test_every_node_is_in_the_namespace(own, parent, full):
    phases = graph.build('train', {'namespace': own}, parent)
    nodes = [process for phase in phases for process in (phase.leader, *phase.followers)]
    assert {process.namespace for process in nodes} == {full}
    command = command_of(nodes[0])
    assert command[command.index(f'__ns:={full}') - 1] == '-r'


@pytest.mark.parametrize('bad', ['2nd', 'a//b', '//a', 'a b', '~', 'ä', 'a-b', 'a' * 200])
def test_names_that_are_no_namespace_are_refused(bad):
    with pytest.raises(UserError) as error:
        graph.build('train', {'namespace': bad})
    assert_one_clear_line(error, ['namespace', bad])


# --- the pruning procedure ---------------------------------------------------------------------


def reduction(checkpoint, **given):
    values = {'checkpoint': str(checkpoint), 'steps': '2', 'samples': '3', 'record': '6', **given}
    return graph.build('prune-train', values)


def titles(phases):
    return [phase.title for phase in phases]


STEP = ['recording', 'checking', 'pruning', 'training']


def test_a_reduction_records_prunes_and_trains_in_every_step(checkpoint):
    phases = reduction(checkpoint, tau='0.3')
    assert titles(phases) == ['summary', *STEP, *STEP, 'summary']
    assert names(phases)[1:5] == [RECORDING, ['checking'], ['pruning'], PLAYING]
    folder = checkpoint.parent / 'reduced'
    first, second = folder / 'step_1', folder / 'step_2'
    recordings = [phases[n].leader.parameters for n in (1, 5)]
    trainings = [phases[n].leader.parameters for n in (4, 8)]
    assert [p['checkpoint'] for p in recordings] == [str(checkpoint), str(first / 'checkpoint')]
    assert [p['start'] for p in trainings] == [str(first / 'pruned'), str(second / 'pruned')]
    assert [p['run_dir'] for p in trainings] == [str(first), str(second)]
    # What is recorded are the episodes of the seed the network was trained with.
    assert recordings[0]['seed'] == 0
    assert recordings[1]['seed'] == trainings[0]['seed'] == step_seed(0, 1)
    assert trainings[1]['seed'] == step_seed(0, 2)
    assert {p['gamma'] for p in (*recordings, *trainings)} == {0.5}
    bag = str(second / 'bag')
    keeping = ('recording', 'keep', bag, str(first / 'checkpoint'), '6')
    assert phases[6].leader.command[3:] == keeping
    command = phases[7].leader.command
    assert command[:6] == (
        *(sys.executable, '-m', 'neuron_reach', 'prune'),
        *(str(first / 'checkpoint'), '--bag'),
    )
    assert command[command.index('--bag') + 1] == bag
    flags = dict(zip(command[5::2], command[6::2], strict=True))
    assert (flags['--tau'], flags['--samples'], flags['--episodes']) == ('0.3', '3', '6')
    assert all(phase.after_failure == phases[0].leader.command for phase in (phases[4], phases[8]))
    assert phases[0].leader.command[-1] == '--summary'


def test_a_reduction_goes_on_where_it_stopped(checkpoint, tmp_path):
    folder, given = tmp_path / 'here', {'run_dir': str(tmp_path / 'here')}
    step = folder / 'step_1'
    bag = step / 'bag'
    bag.mkdir(parents=True)
    (bag / 'bag.mcap').write_bytes(b'something')  # nobody found it whole
    recording = reduction(checkpoint, **given)[1]
    assert recording.followers[1].parameters['bag'] == str(step / 'bag_2')
    seal(bag, 6, 'a' * 64)
    assert titles(reduction(checkpoint, **given)) == ['summary', *STEP[2:], *STEP, 'summary']
    (step / 'pruning.json').touch()
    assert titles(reduction(checkpoint, **given)) == ['summary', 'training', *STEP, 'summary']


def test_a_reduction_takes_no_options_of_learning_but_its_budget(checkpoint):
    phases = reduction(checkpoint, max_episodes='700')
    assert phases[4].leader.parameters['max_episodes'] == 700
    assert '700' in phases[0].leader.command
    for arguments, words in (
        ({'gamma': '0.9'}, ['gamma']),
        ({'tau': '2'}, ['tau', '0 to 1']),
        ({'record': '0'}, ['record']),
    ):
        with pytest.raises(UserError) as error:
            reduction(checkpoint, **arguments)
        assert_one_clear_line(error, words)


@given(episodes=st.integers(1, 5000), arms=st.integers(1, 300))
def test_the_recorded_fleet_plays_whole_rounds(tmp_path_factory, episodes, arms):
    run_dir = tmp_path_factory.getbasetemp() / 'none'
    values = {'run_dir': str(run_dir), 'record': str(episodes), 'arms': str(arms)}
    fleet = graph.build('train', values)[1].leader.parameters['arms']
    assert episodes % fleet == 0
    assert 1 <= fleet <= min(arms, episodes)


@pytest.mark.parametrize(
    ('text', 'hidden'),
    [
        ('32', [32] * 6),
        ('[32]', [32]),
        ('[64, 32]', [64, 32]),
        ('[1, 1, 1]', [1, 1, 1]),
        ('', [48] * 6),
    ],
)
def test_hidden_takes_a_width_or_a_list(text, hidden):
    assert parameters(graph.build('train', {'hidden': text}), 'dqn_policy')['hidden'] == hidden


def test_arguments_come_before_the_config_file(tmp_path):
    config = tmp_path / 'config.yaml'
    config.write_text('joints: 2\ngamma: 0.5\nhidden: [8]\n')
    phases = graph.build('train', {'config': str(config), 'joints': '4', 'gamma': ''})
    policy = parameters(phases, 'dqn_policy')
    assert (policy['joints'], policy['gamma'], policy['hidden']) == (4, 0.5, [8])


@pytest.mark.parametrize(
    ('name', 'arguments', 'words'),
    [
        ('train', {'jonts': '3'}, ['jonts', 'joints']),
        ('train', {'joints': '0'}, ['joints', '1', '6', "'0'"]),
        ('train', {'joints': '99'}, ['joints', '99']),
        ('train', {'joints': '2.5'}, ['joints', 'whole number']),
        ('train', {'joints': 'three'}, ['joints', 'three']),
        ('train', {'joints': '[2'}, ['joints', '[2']),
        ('train', {'seed': '-1'}, ['seed', '-1', '4294967295']),
        ('train', {'seed': 'true'}, ['seed', 'true']),
        ('train', {'gamma': 'nan'}, ['gamma', 'nan']),
        ('train', {'gamma': '.inf'}, ['gamma']),
        ('train', {'hidden': '[]'}, ['hidden']),
        ('train', {'hidden': '[48, 0]'}, ['hidden', '4096']),
        ('train', {'hidden': '[48, x]'}, ['hidden']),
        ('train', {'hidden': '{a: 1}'}, ['hidden']),
        ('train', {'storage': 'rosbag1'}, ['storage', 'mcap', 'sqlite3']),
        ('train', {'backend': 'gazebo7'}, ['backend', 'kinematic']),
        ('train', {'record': '-1'}, ['record']),
        ('train', {'arms': '1e9'}, ['arms', '10000']),
        ('train', {'reach_steps': '61'}, ['reach_steps', 'episode_steps']),
        ('train', {'checkpoint': 'somewhere'}, ['checkpoint', 'run_dir']),
        ('record', {'run_dir': 'nowhere'}, ['nowhere', 'metadata.json', 'checkpoint:=']),
        ('run', {'checkpoint': 'nowhere'}, ['nowhere', 'metadata.json', 'checkpoint:=']),
    ],
)
def test_bad_arguments_are_named(name, arguments, words):
    with pytest.raises(UserError) as error:
        graph.build(name, arguments)
    assert_one_clear_line(error, words)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('jonts: 3', ['jonts', 'joints']),
        ('joints: 99', ['joints', '99', '1', '6']),
        ('joints: [1, 2]', ['joints', '[1, 2]']),
        ('joints: true', ['joints', 'True']),
        ('hidden: {a: 1}', ['hidden']),
        ('storage: zip', ['storage', 'mcap']),
        ('record: some', ['record', 'some']),
        ('- joints', ['list']),
        ('just words', ['just words']),
        ('joints: [1', ['YAML']),
        ('!!python/object/apply:os.system [false]', ['YAML']),
        ('1: 2', ["'1'"]),
        ('\x00', ['YAML']),
    ],
)
def test_errors_in_a_config_file_name_it_and_the_key(tmp_path, text, words):
    config = tmp_path / 'config.yaml'
    config.write_text(text)
    with pytest.raises(UserError) as error:
        graph.build('train', {'config': str(config)})
    assert_one_clear_line(error, [str(config), *words])


def test_a_config_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / 'none.yaml', tmp_path):
        with pytest.raises(UserError) as error:
            graph.build('train', {'config': str(path)})
        assert_one_clear_line(error, [str(path)])
    (tmp_path / 'latin.yaml').write_bytes(b'run_dir: \xe9\n')
    with pytest.raises(UserError) as error:
        graph.build('train', {'config': str(tmp_path / 'latin.yaml')})
    assert_one_clear_line(error, ['latin.yaml', 'YAML'])


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'joints': '3'}, ['joints=3', 'joints=2']),
        ({'hidden': '48'}, ['hidden', '[32, 16]']),
        ({'record': '0'}, ['record', 'at least 1']),
    ],
)
def test_arguments_must_agree_with_the_checkpoint(checkpoint, arguments, words):
    with pytest.raises(UserError) as error:
        graph.build('record', {'checkpoint': str(checkpoint), **arguments})
    assert_one_clear_line(error, words)


@pytest.mark.parametrize('text', ['', '{"options": {"joints"', '[]', '{}', '{"options": 3}', '7'])
def test_foreign_or_truncated_checkpoints_are_named(checkpoint, text):
    (checkpoint / 'metadata.json').write_text(text)
    with pytest.raises(UserError) as error:
        graph.build('record', {'checkpoint': str(checkpoint)})
    assert_one_clear_line(error, ['metadata.json', 'checkpoint'])


def test_record_never_writes_over_a_bag(checkpoint):
    (checkpoint.parent / 'bag').mkdir()
    (checkpoint.parent / 'bag' / 'bag.db3').write_bytes(b'something')
    with pytest.raises(UserError) as error:
        graph.build('record', {'checkpoint': str(checkpoint)})
    assert_one_clear_line(error, [str(checkpoint.parent / 'bag'), 'exists'])


def test_a_checkpoint_with_another_set_of_options_is_refused(checkpoint):
    file = checkpoint / 'metadata.json'
    saved = json.loads(file.read_text())
    for change, problem in (({'gama': 1}, "option 'gama' is unknown"), (None, 'gamma is missing')):
        options = {**saved['options'], **(change or {})}
        if change is None:
            del options['gamma']
        file.write_text(json.dumps({'options': options}))
        with pytest.raises(UserError) as error:
            graph.build('record', {'checkpoint': str(checkpoint)})
        assert_one_clear_line(error, [str(file), problem])


def assert_one_clear_line(error, words):
    message = str(error.value)
    assert '\n' not in message
    for word in words:
        assert word in message


SCALARS = {
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    str: st.text(
        # By their older names, as Ubuntu 22.04 has them.
        st.characters(blacklist_categories=['C', 'Zl', 'Zp'], whitelist_characters='\n\t'),
        max_size=20,
    ),
}
PARAMETERS = st.dictionaries(
    st.from_regex(r'[a-z][a-z_]{0,8}', fullmatch=True),
    st.one_of(*SCALARS.values(), *(st.lists(s, min_size=1, max_size=4) for s in SCALARS.values())),
    max_size=4,
)


@given(PARAMETERS)
def test_command_lines_keep_values_and_types(values):
    command = command_of(graph.Process('dqn_policy', values))
    assert command[1:4] == ['-m', 'neuron_reach.nodes', 'dqn_policy']
    pairs = [command[i + 1].split(':=', 1) for i, word in enumerate(command) if word == '-p']
    read = {key: read_as_rcl_does(text) for key, text in pairs}
    assert repr(read) == repr(values)


def read_as_rcl_does(text):
    """YAML 1.1 takes 1e-6 for a text; rcl takes what C's strtod reads for a number."""
    value = yaml.safe_load(text)
    return [number(v, text) for v in value] if isinstance(value, list) else number(value, text)


def number(value, text):
    if (
        isinstance(value, str)
        and re.fullmatch(r'-?\d+(\.\d+)?e[-+]?\d+', value)
        and '"' not in text
    ):
        return float(value)
    return value


def test_a_process_that_is_no_node_starts_as_it_is():
    command = ('ros2', 'bag', 'record')
    assert command_of(graph.Process('bag_recorder', command=command)) == list(command)


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_all_arguments_say_what_they_mean(name):
    for field in argument_fields(name):
        text = describe_argument(field)
        assert text[0].islower() or text[0].isupper()
        assert '(' in text and text.endswith(')')
        assert not (isinstance(field.default, float) and math.isnan(field.default))
    keys = [field.name for field in argument_fields(name)]
    assert len(keys) == len(set(keys))


@pytest.fixture
def inspected(tmp_path):
    """Files of a policy and of its inputs; a graph reads neither."""
    files = {'policy': tmp_path / 'policy.onnx', 'inputs': tmp_path / 'inputs.yaml'}
    for path in files.values():
        path.touch()
    return {name: str(path) for name, path in files.items()}


def test_inspect_starts_the_inspector_alone_or_with_a_recorder(inspected, tmp_path):
    (phase,) = graph.build('inspect', {**inspected, 'act': 'true'})
    assert names([phase]) == [['policy_inspector']]
    found = phase.leader.parameters
    assert (found['policy'], found['act'], found['recorded']) == (inspected['policy'], True, False)
    given = {**inspected, 'record': str(tmp_path / 'bag'), 'namespace': 'left'}
    phases = graph.build('inspect', given)
    assert names(phases) == [['policy_inspector', 'bag_recorder'], ['report']]
    assert phases[0].leader.parameters['recorded']
    assert {process.namespace for process in (phases[0].leader, *phases[0].followers)} == {'/left'}
    topics = parameters(phases, 'bag_recorder')['topics']
    assert {'steps', 'observation', 'activations/hidden_7', 'episode', 'checkpoint'} <= {*topics}


def test_inspect_names_what_is_missing(inspected, tmp_path):
    for name in inspected:
        others = {key: value for key, value in inspected.items() if key != name}
        with pytest.raises(UserError, match=f'{name} is missing; name a file with {name}:=FILE'):
            graph.build('inspect', others)
        with pytest.raises(UserError, match=f'{name}: nowhere does not exist'):
            graph.build('inspect', {**others, name: 'nowhere'})
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'bag.mcap').write_bytes(b'something')
    with pytest.raises(UserError, match='bag: exists already'):
        graph.build('inspect', {**inspected, 'record': str(tmp_path / 'bag')})
