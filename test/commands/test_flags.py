# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Parsing of flags: one line for a word that cannot be used, with the likely spelling."""

import pytest

from neuron_reach.commands.flags import spelled


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('train -o x', 'neuron_reach train: error: there is no flag -o; arguments are written'),
        ('prune x tau:=0.2 -o y', 'flags are written --tau 0.2, not tau:=0.2; see neuron_reach'),
        ('prune x --taux 2 -o y', 'neuron_reach prune: error: unknown flag --taux (did you mean'),
        ('prune x -o', 'argument -o/--output: expected one argument'),
        ('prune x --episodes few -o y', "argument --episodes: must be a whole number, not 'few'"),
        ('map x y --tolerance few -o y', "--tolerance must be a number of at least 0, not 'few'"),
        ('reproduce all --workers few', "argument --workers: must be a whole number, not 'few'"),
    ],
)
def test_an_unusable_word_is_reported_in_one_line(arguments, message, refusal):
    assert message in refusal(*arguments.split())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('trian', "unknown command 'trian' (did you mean train?)"),
        ('prune_train x', "unknown command 'prune_train' (did you mean prune-train?)"),
        ('recroding', "unknown command 'recroding' (did you mean record?)"),
        ('gazebo instal', "gazebo: error: unknown command 'instal' (did you mean install?)"),
        ('train backend:=gazbo', "not 'gazbo' (did you mean gazebo?)"),
        ('train --no-ros joint:=2', "unknown key 'joint' (did you mean joints?)"),
        ('train --no-rso', 'unknown flag --no-rso (did you mean --no-ros?)'),
        ('train --recrod 2', 'not --recrod (did you mean record?)'),
        ('train --no-ros --joints 3', 'such as joints:=3, not --joints'),
        ('train --joints 3 --no-ros', 'such as joints:=3, not --joints'),
        ('prune-train x --test_episode 2 -o y', '(did you mean --test-episodes?)'),
        ('prune x --linkage averge -o y', "not 'averge' (did you mean average?)"),
        ('gazebo validate x --paylod 2', 'unknown flag --paylod (did you mean --payload?)'),
        ('reproduce fig3', "not 'fig3' (did you mean fig3-left?)"),
        ('reproduce al', "not 'al' (did you mean all?)"),
        ('reproduce all --scale quik', "not 'quik' (did you mean quick?)"),
        ('map x y --baseline radom -o z', "not 'radom' (did you mean random?)"),
        ('map x y --transform balancd -o z', "not 'balancd' (did you mean balanced?)"),
        ('prune checkpoint:=x -o y', 'checkpoint is given without its name: x, not checkpoint:=x'),
        ('map source=x y -o z', 'source is given without its name: x, not source=x'),
        ('analyze x tau:=0.3 -o y', 'flags are written --tau 0.3, not tau:=0.3'),
        ('analyze x tau=0.3 -o y', 'flags are written --tau 0.3, not tau=0.3'),
        ('prune-train x max_episodes=3 -o y', 'written --max-episodes 3, not max_episodes=3'),
    ],
)
def test_the_likely_spelling_is_suggested(arguments, message, refusal):
    assert message in refusal(*arguments.split())


def test_a_file_or_a_value_may_look_like_an_assignment(tmp_path, refusal):
    folder = tmp_path / 'tau=0.3'
    folder.mkdir()
    for arguments in ('prune tau=0.3 -o y', 'prune tau=0.3 --output tau=0.4'):
        assert 'tau=0.3: is no checkpoint' in refusal(*arguments.split())
    folder.rmdir()


def test_flags_may_precede_follow_or_separate_arguments(refusal):
    for arguments in (
        '--no-ros joints:=0 seed:=1',
        'seed:=1 --no-ros joints:=0',
        'joints:=0 --ros',
    ):
        assert 'joints must be' in refusal('train', *arguments.split())


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['--a=b'], ('a', 'b')),
        (['--a', '-1'], ('a', '-1')),
        (['--a', '-b'], ('a', 'VALUE')),
        (['a', ':=b'], ('a', 'b')),
        (['--a-b', 'c'], ('a_b', 'c')),
        (['a:'], ('a', 'VALUE')),
    ],
)
def test_a_misspelled_assignment_is_split_into_name_and_value(words, expected):
    assert spelled(words[0], words) == expected
