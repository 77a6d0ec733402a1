# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Links, commands and Python examples in the documentation, and its spelling."""

import dataclasses
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from document_files import MAKERS, missing_library
from record_bags import write_record

from neuron_reach import cli
from neuron_reach.commands.flags import HIDDEN
from neuron_reach.errors import UserError
from neuron_reach.inspection.commands import Command
from neuron_reach.inspection.connections import Input, Output, Timing, read_connections
from neuron_reach.inspection.observation import Observation
from neuron_reach.launching.arguments import DESCRIPTIONS, argument_fields
from neuron_reach.launching.starter import free_domain
from neuron_reach.learning.checkpoint import describe, load_checkpoint, save_checkpoint
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.networks.functions import FUNCTIONS
from neuron_reach.records.recording import record_checkpoint

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / 'docs').glob('*.md'))
PAGES = [*sorted(ROOT.glob('*.md')), *DOCS]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r'(?:\./run|neuron_reach|ros2 launch neuron_reach|python)(?= [\w-])')

BRITISH = (
    r'(?:summar|normal|initial|recogn|organ|minim|maxim|optim|serial|synchron|visual|factor|regular|'
    r'general|real|random|special|util|character|emphas|parallel|quant|vector|stabil|final)is'
    r'(?:e[drs]?|ers|ing|ations?)|analys(?:e[dr]?|ing)|(?:behavi|fav|hon|lab|neighb|col|harb)our\w*|'
    r'(?:cent|met|lit|fib)re\w*|(?:cancel|label|model|signal|travel)l(?:ed|er|ing)|licence\w*|'
    r'defence|artefact\w*|grey\w*|catalogue\w*|programme\w*|whilst|towards|afterwards|learnt'
)


def page_name(page):
    return str(page.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=page_name)
def page(request):
    return request.param


def prose(text):
    """Return a page without its code."""
    return re.sub(r'`[^`]*`', '', FENCE.sub('', text))


def anchors(page):
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', FENCE.sub('', page.read_text()), re.MULTILINE)
    plain = [re.sub(r'[^\w\- ]', '', heading.lower()) for heading in headings]
    return {heading.replace(' ', '-') for heading in plain}


def test_links_lead_to_files_and_headings(page):
    links = re.findall(r'\]\(([^()\s]+)\)', FENCE.sub('', page.read_text()))
    for link in links:
        path, _, anchor = link.partition('#')
        if path.startswith(('http://', 'https://')):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index():
    index = (ROOT / 'docs' / 'README.md').read_text()
    for page in DOCS:
        assert page.name == 'README.md' or f']({page.name})' in index


def commands(text):
    """Return the command lines on a page, from code blocks and from code in the text."""
    lines = []
    for language, block in FENCE.findall(text):
        if not language:
            lines += re.sub(r'\\\n *', '', block).splitlines()
    lines += [' '.join(code.split()) for code in re.findall(r'`([^`]+)`', FENCE.sub('', text))]
    lines = [re.sub(r'^(?:\w+=\S+ |\.venv/bin/|rosdep |pip )+', '', line) for line in lines]
    return [line for line in lines if EXAMPLE.match(line)]


def check_command(words):
    """Fail unless the command line names a command, flags and arguments that exist."""
    if words[:2] == ['ros2', 'launch']:
        file, *arguments = words[3:]
        source = (ROOT / 'launch' / file).read_text()
        graph = file.removesuffix('.launch.py').replace('_', '-')
        known = {field.name for field in argument_fields(graph)} if graph in DESCRIPTIONS else None
        for argument in arguments:
            name = argument.partition(':=')[0]
            assert name == '--show-args' or name in (source if known is None else known)
    elif words[0] == 'python':
        assert words[1] == '-m' or (ROOT / words[1]).is_file()
    elif words[1] != 'test':
        assert words[1] not in HIDDEN, 'an old name'
        named_only = words[2:] == []
        try:
            options = cli._parser().parse_args([*words[1:], *['--help'] * named_only])
        except SystemExit as ended:  # --help
            assert ended.code == 0
            return
        if hasattr(options, 'arguments') and getattr(options, 'output', None) is None:
            known = {'config', *(field.name for field in argument_fields(words[1]))}
            assert {word.partition(':=')[0] for word in options.arguments} <= known


def test_commands_name_what_exists(page, capsys):
    for line in commands(page.read_text()):
        try:
            check_command(shlex.split(line, comments=True))
        except (AssertionError, OSError, SystemExit, ValueError) as error:
            pytest.fail(f'{line}: {error} {capsys.readouterr().err}')


def test_commands_of_pages_are_found_and_wrong_ones_are_not_accepted(capsys):
    found = [len(commands(page.read_text())) for page in PAGES]
    assert sum(found) > 50
    for line in (
        './run trian',
        './run learn',
        './run train joint:=2',
        './run analyze a --no-such-flag -o b',
        'ros2 launch neuron_reach trian.launch.py',
        'ros2 launch neuron_reach train.launch.py joint:=2',
        'python benchmarks/nothing.py',
    ):
        with pytest.raises((AssertionError, OSError, SystemExit)):
            check_command(line.split())


def test_spelling_is_american(page):
    words = re.findall(rf'\b(?:{BRITISH})\b', prose(page.read_text()), re.IGNORECASE)
    assert words == []


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder with the small networks that the Python examples name."""
    folders = dict.fromkeys(('run_dir', 'runs/joints3_seed0'), 3)
    folders |= {f'runs/joints{joints}_seed0': joints for joints in (2, 4)}
    for folder, joints in folders.items():
        setup = Setup.from_values({'joints': joints, 'hidden': [6, 5]}, 'test')
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(joints)], 1.0)
        place = tmp_path / folder
        place.mkdir(parents=True)
        save_checkpoint(place / 'checkpoint', network, describe(setup, Member(0), None))
    run = tmp_path / 'runs' / 'joints3_seed0'
    write_record(run / 'bag', record_checkpoint(load_checkpoint(run / 'checkpoint'), 2))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one_core():
    """Small matrices on one core: threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def files(page, runs, one_core):
    """The files of other libraries that a page names; those that cannot be made, with the reason.

    They are in the folder of `runs`.
    """
    missing = {}
    for name, make in MAKERS.items():
        if name in page.read_text():
            try:
                make(Path(name))
            except ImportError as error:
                missing[name] = f'{name}: {error.name} is not installed'
    return missing


def shortened(block):
    """Return a block that trains and plays for a moment only."""
    short = {'100_000': '100', 'every=2000': 'every=50', 'episodes=50': 'episodes=4'}
    for long, value in short.items():
        block = block.replace(long, value)
    return block


def test_python_examples_run(page, files, request):
    if 'rclpy' in page.read_text() and missing_library('import rclpy') is None:
        request.getfixturevalue('ros')
    namespace, skipped = {}, []  # examples on a page may use what those above define
    for language, block in FENCE.findall(page.read_text()):
        if language != 'python' or 'launch' in block or 'gazebo' in block:
            continue
        reason = missing_library(block)
        reason = reason or next((files[name] for name in files if name in block), None)
        try:
            if reason is None:
                exec(shortened(block), namespace)
        except NameError as error:
            assert skipped, error
            reason = f'{error.name} is of an example that was skipped'
        if reason is not None:
            skipped.append(reason)
    if 'act' in namespace:
        assert namespace['act']([0.0, 1.0] * 3 + [0.5, 0.5]).shape == (3,)
    if skipped:
        pytest.skip('; '.join(skipped))


@pytest.fixture
def ros(monkeypatch):
    """A ROS domain of its own, in which nodes of this process can be."""
    import rclpy

    number, lock = free_domain(first=60)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(number))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.environ.get('AMENT_PREFIX_PATH', sys.prefix))
    yield
    rclpy.try_shutdown()
    lock.close()


ROBOTS = [
    (page, block)
    for page in DOCS
    for language, block in FENCE.findall(page.read_text())
    if language == 'yaml' and 'inputs:' in block
]


@pytest.mark.parametrize('block', [block for _, block in ROBOTS])
def test_files_of_robots_fit_the_stated_networks(block, tmp_path):
    pytest.importorskip('sensor_msgs', reason='ROS 2 is not installed')
    inputs, actions = map(int, re.search(r'(\d+) inputs, (\d+) actions', block).groups())
    file = tmp_path / 'inputs.yaml'
    file.write_text(block)
    connections = read_connections(file)
    Observation(connections, inputs, actions)
    Command(connections.outputs, actions, connections.path)
    with pytest.raises(UserError, match=f'{inputs + 1}'):
        Observation(connections, inputs + 1, actions)


def test_every_key_of_a_robots_file_is_described():
    text = (ROOT / 'docs' / 'robot.md').read_text()
    keys = re.findall(r'`(\w+)`', ''.join(re.findall(r'^\| (`\w+`.*?) \|', text, re.M)))
    known = {field.name for kind in (Timing, Input, Output) for field in dataclasses.fields(kind)}
    assert known <= set(keys)


def test_every_activation_function_is_named():
    text = (ROOT / 'docs' / 'own_policy.md').read_text()
    listed = re.search(r'has to be\s+named: (.*?)\. ', text, re.DOTALL)[1]
    assert set(re.findall(r'\w+', listed)) - {'or'} == FUNCTIONS.keys()


def test_the_glossary_names_places_that_exist():
    package = ROOT / 'neuron_reach'
    source = '\n'.join(path.read_text() for path in package.rglob('*.py'))
    rows = re.findall(r'^\| .* \| (.*) \|$', (ROOT / 'docs' / 'glossary.md').read_text(), re.M)
    places = [place for row in rows for place in re.findall(r'`([^`]+)`', row)]
    assert len(places) > 50
    for place in places:
        if '/' in place:
            assert (package / place).exists(), place
        elif not place.startswith('--'):
            assert all(re.search(rf'\b{word}\b', source) for word in place.split('.')), place
