# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Arguments of `neuron_reach info`; test/workflows/test_info.py tests its answers."""

import pytest


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('info x y', "neuron_reach info: error: unexpected 'y'; see neuron_reach info --help"),
        ('info ~nosuchuser', "argument path: must be a path, not '~nosuchuser'"),
        ('info -- -x', '/-x: no such file or folder'),
    ],
)
def test_an_unusable_word_is_reported_in_one_line(arguments, message, refusal):
    assert message in refusal(*arguments.split())


def test_an_empty_path_is_not_the_current_folder(refusal):
    assert "argument path: must be a path, not ''" in refusal('info', '')
