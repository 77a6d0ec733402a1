# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from neuron_reach.analysis.intervals import Interval
from neuron_reach.study import paper
from neuron_reach.study.findings import SHOWN_REASONS, finding, listed, spread, unknown
from neuron_reach.study.verdict import CONFIRMED, DIFFERS, INCONCLUSIVE, Verdict

NAME = 'fig2_bell'


def verdict(word, reason=''):
    return Verdict(word, reason or word, Interval(1.0, 0.5, 1.5), 20)


def test_the_worst_part_decides_and_its_reasons_are_told():
    good, vague, bad = map(verdict, (CONFIRMED, INCONCLUSIVE, DIFFERS))
    for parts, word in (
        ([good, good], CONFIRMED),
        ([good, vague], INCONCLUSIVE),
        ([vague, good], INCONCLUSIVE),
        ([good, bad], DIFFERS),
        ([vague, bad, good], DIFFERS),
        ([bad, vague], DIFFERS),
    ):
        found = finding(NAME, 'ours', 'measure', *parts)
        assert (found.verdict, found.reason) == (word, f'measure: {word}')
        assert (found.statement, found.ours) == (paper.statement(NAME).text, 'ours')


def test_only_so_many_reasons_are_told_and_none_twice():
    reasons = [verdict(DIFFERS, f'reason {number}') for number in range(SHOWN_REASONS + 2)]
    assert (
        finding(NAME, '', 'm', *reasons[:SHOWN_REASONS]).reason == 'm: reason 0; reason 1; reason 2'
    )
    assert finding(NAME, '', 'm', *reasons).reason.endswith('reason 2; 2 similar ones')
    assert finding(NAME, '', 'm', *[reasons[0]] * 9).reason == 'm: reason 0'


def test_what_is_unknown_is_not_confirmed():
    found = unknown(NAME, 'too few')
    assert (found.verdict, found.ours, found.reason) == (INCONCLUSIVE, '', 'too few')


def test_numbers_are_told_with_the_deviation_of_a_sample():
    assert spread([1.0, 2.0, 3.0, float('nan')]) == '2.00 ± 1.00'
    assert spread([1234.5], 1) == '1,234.5'
    assert spread([float('nan')]) == ''
    assert listed([1.0, 2500.25], 1) == '1.0, 2,500.2'
