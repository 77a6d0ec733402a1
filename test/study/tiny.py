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
