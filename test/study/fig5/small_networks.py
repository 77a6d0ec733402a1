# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The study of figure 5 with small networks that nobody has to train."""

import torch

from neuron_reach.learning.checkpoint import describe
from neuron_reach.learning.qnetwork import QNetwork
from neuron_reach.learning.setup import Setup
from neuron_reach.learning.training import Member
from neuron_reach.study.engine.jobs import function
from neuron_reach.study.engine.results import JobResult
from neuron_reach.study.fig5 import mapping_jobs, mapping_study
from neuron_reach.study.fig5.mapping_values import Maps


@function('test.networks', version=1, seconds=lambda **_: 1.0)
def networks(joints, count, missing):
    setup = Setup.from_values({'joints': joints, 'hidden': [9, 7, 6, 6, 5, 8], 'arms': 10}, 'test')
    made = {}
    for seed in range(count):
        if seed == missing:
            continue
        network = QNetwork(setup.layer_sizes)
        network.initialize([torch.Generator().manual_seed(10 * joints + seed)], 0.5)
        made[f'seed_{seed}'] = (network, describe(setup, Member(seed), None))
    return JobResult({}, networks=made)


COUNTS = {2: 2, 3: 5, 4: 3}
MISSING = 1
"""One of the networks for 4 joints."""


def tiny_plan(monkeypatch, missing=None):
    """Plan the study of a few small networks by joints that nobody has to train."""
    monkeypatch.setattr(mapping_study, 'EPISODES', 10)
    made = {}
    for joints, count in COUNTS.items():
        lost = missing if joints == 4 else None
        job = networks.job('n', joints=joints, count=count, missing=lost)
        made[joints] = [{'result': job, 'name': f'seed_{seed}'} for seed in range(count)]
    return mapping_study.plan_of(made, [])


def maps_of(plan, results):
    jobs = {}
    for job in plan.jobs:
        if job.function is mapping_jobs.map_onto:
            source, target = (int(job.label[place]) for place in (4, 6))
            jobs.setdefault((source, target, job.arguments['transform']), []).append(job)
    return Maps(jobs, results)
