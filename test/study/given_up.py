# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Results with networks that were given up.

Of each pair one has passed a validation test that a second one did not confirm: it has a first
pass, but was never trained.
"""

from types import SimpleNamespace

from neuron_reach.study.studies import Results
from study.tiny import TINY


def member(seed, first_pass, *, given_up=False):
    return {
        'seed': seed,
        'first_pass': first_pass,
        'trained': None if given_up else first_pass + 200,
        'accuracy': 0.5 if given_up else 0.95,
        'updates': 10,
        'validations': [[0, 200, 300]],
    }


def results_with(given_up):
    """Return results: every job succeeds but those for which `given_up` is true."""

    def get(job):
        arguments = job.arguments
        name = job.function.name
        if name == 'train':
            seeds = arguments['seeds']
            values = {'members': [member(s, 1000, given_up=given_up(job, s)) for s in seeds]}
        elif name == 'prune':
            pruned = {f'tau_{tau:g}': {'hidden': [8, 8], 'accuracy': 0.7} for tau in TINY.taus}
            values = {'pruned': pruned}
        elif name == 'prune samples':
            values = {'samples': {f'tau_{tau:g}': {'accuracies': [0.6, 0.8]} for tau in TINY.taus}}
        else:
            seed = arguments['seed']
            values = {'members': [member(seed, 400, given_up=given_up(job, seed))]}
            values |= {'accuracy': 0.7, 'removed': 1, 'missed': [0.1, 0.2]}
        checkpoint = SimpleNamespace(metadata={'hidden': [16, 16]})
        return SimpleNamespace(values=values, checkpoint=lambda name: checkpoint)

    return Results(get)
