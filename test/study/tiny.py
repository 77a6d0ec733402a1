# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Studies of networks that learn within a second."""

import contextlib
import dataclasses

import pytest
from easy import EASY

from neuron_reach.study import reductions
from neuron_reach.study.fig2 import activity_study
from neuron_reach.study.fig3 import size_study, tau_study
from neuron_reach.study.studies import SCALES

TINY = dataclasses.replace(
    SCALES['quick'],
    networks=2,
    stack=2,
    widths=(16,),
    distance_episodes=20,
    pruning_episodes=20,
    taus=(0.0, 0.1, 0.2, 0.5),
    samples=2,
    retraining_episodes=2000,
)
ANALYSED = {**EASY, 'hidden': [16, 16, 16]}
STUDIES = {'fig2': activity_study, 'fig3-left': tau_study, 'fig3-right': size_study}


@contextlib.contextmanager
def tiny_studies():
    """Has the studies of figures 2 and 3 train networks that learn within a second."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (reductions, *STUDIES.values()):
            patch.setattr(module, 'ANALYSED', ANALYSED)
        yield
