# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neuron_reach.errors import UserError
from neuron_reach.figures.strips import strips
from neuron_reach.study.html_report import (
    Finding,
    HtmlReport,
    Picture,
    Section,
    Table,
    write_report,
)

VOID = {'meta', 'br'}


class Checker(HTMLParser):
    """Follows the tags of a file: nesting, identifiers, references, texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.references, self.texts = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == 'id':
                self.ids.append(value)
            if name in ('href', 'xlink:href', 'src'):
                self.references.append(value)
            self.references += [f'#{target}' for target in re.findall(r'url\(#(.+?)\)', value)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def picture(name='durations'):
    generator = np.random.default_rng(0)
    groups = {'3 joints, 6 x 48': generator.gamma(9, 500, 20), 'none': [], 'one': [4000]}
    return Picture(name, strips(groups, 'episodes'), 'A <caption>', 'What it "shows"')


def finding(verdict='confirmed'):
    return Finding('A < B & C.', 'section 4', '0.3 (0.2 to 0.4)', verdict, 'because')


def report(**changes):
    section = Section(
        'Title <1>',
        'One.\n\nTwo & three.',
        [finding(), finding('differs'), finding('inconclusive'), finding()],
        [picture(), Table(['name', 'value'], [['a<b', '1,234'], ['c', '-3 (1 to 2)']], 'All')],
    )
    values = {
        'title': 'Report & co',
        'introduction': 'First.\n\nSecond.',
        'rule': 'The rule.',
        'sections': [section, Section('More', 'Text', items=[picture('again')])],
        'command': 'neuron_reach reproduce fig2 -o "a<b"',
        'origin': [Table(['what', 'version'], [['torch', '2']])],
    }
    return HtmlReport(**{**values, **changes})


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp('report') / 'deep' / 'report.html'
    write_report(path, report())
    return path


def test_it_is_one_well_formed_file_that_needs_nothing_else(written):
    checked = Checker(written.read_text())
    assert checked.open == []
    assert len(checked.ids) == len(set(checked.ids)) > 10
    assert checked.references
    for reference in checked.references:
        assert reference.removeprefix('#') in checked.ids
    assert not {'script', 'link', 'img', 'iframe'} & set(checked.tags)
    assert checked.tags.count('svg') == 2


def test_it_says_everything(written):
    text = ' '.join(' '.join(Checker(written.read_text()).texts).split())
    for part in (
        'Report & co',
        'First. Second.',
        'Findings of the paper: 2 confirmed, 1 inconclusive, 1 differs',
        'Title <1>',
        'Two & three.',
        'A < B & C. section 4 0.3 (0.2 to 0.4) ✓ confirmed because',
        'A <caption>',
        'a<b 1,234',
        'The rule.',
        'neuron_reach reproduce fig2 -o "a<b"',
        'torch 2',
    ):
        assert part in text


def test_pictures_lie_beside_it_in_two_formats(written):
    files = {file.name for file in (written.parent / 'figures').iterdir()}
    assert files == {'durations.png', 'durations.svg', 'again.png', 'again.svg'}
    assert (written.parent / 'figures' / 'again.png').read_bytes().startswith(b'\x89PNG')


def test_the_same_results_give_the_same_file(written, tmp_path):
    write_report(tmp_path / 'report.html', report())
    assert (tmp_path / 'report.html').read_text() == written.read_text()


def test_pictures_describe_themselves_to_those_who_do_not_see_them(written):
    text = written.read_text()
    assert text.count('<svg role="img" aria-label="What it &quot;shows&quot;"') == 2


def test_a_mark_is_on_top_and_on_every_figure(tmp_path):
    marked = report(mark='quick: 6 networks')
    write_report(tmp_path / 'report.html', marked)
    assert '<p class="mark">quick: 6 networks</p>' in (tmp_path / 'report.html').read_text()
    for section in marked.sections:
        figure = section.items[0].figure
        assert 'quick: 6 networks' in [text.get_text() for text in figure.texts]


def test_without_findings_there_is_no_rule(tmp_path):
    write_report(tmp_path / 'report.html', report(sections=[Section('Only', 'text')]))
    text = (tmp_path / 'report.html').read_text()
    assert 'The rule.' not in text
    assert 'Findings of the paper' not in text


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot be written'):
        write_report(tmp_path / 'file' / 'report.html', report())
