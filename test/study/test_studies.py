# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

import json

import pytest

from neuron_reach.study import paper, reductions, studies
from neuron_reach.study.studies import SCALES, Results, plans
from study.tiny import STUDIES, TINY


@pytest.mark.parametrize('name', studies.STUDIES)
@pytest.mark.parametrize('scale', SCALES.values(), ids=lambda scale: scale.name)
def test_every_study_has_a_plan_at_every_scale(name, scale):
    (plan,) = plans(name, scale)
    assert plan.jobs
    assert json.loads(plan.jobs[0].text)


def section_of(done, name):
    store, plans = done
    (section,) = plans[name].sections(Results(store.load))
    return section


@pytest.mark.parametrize(
    ('name', 'prefixes'),
    [
        ('fig2', ('fig2_',)),
        ('fig3-left', ('fig3_size', 'fig3_tau0', 'fig3_small', 'fig3_middle', 'fig3_large')),
        ('fig3-right', ('fig3_first', 'fig3_wide', 'fig3_plateau', 'fig3_taper', 'fig3_hour')),
    ],
)
def test_every_statement_of_the_paper_is_decided(easy, done, name, prefixes):
    section = section_of(done, name)
    texts = {finding.statement for finding in section.findings}
    statements = [key for key in paper.names()[1] if key.startswith(prefixes)]
    assert len(statements) > 4
    assert {paper.statement(key).text for key in statements} <= texts
    assert all(finding.reason for finding in section.findings)
    assert {finding.verdict for finding in section.findings} == {'inconclusive'}  # of 2 networks
    text = section.html()
    assert '<svg' in text
    assert 'nan' not in text


@pytest.mark.parametrize('name', STUDIES)
def test_without_results_there_is_a_section_that_says_so(easy, name):
    (section,) = STUDIES[name].plan(TINY).sections(Results(lambda job: None))
    assert section.html()
    assert not section.findings


def test_the_studies_share_their_jobs(done):
    _, plans = done
    steps, taus = (
        {job.address for job in plans[name].jobs if job.function.name == 'retrain'}
        for name in ('fig2', 'fig3-left')
    )
    assert len(steps) == TINY.networks * reductions.STEPS
    assert len(taus) == TINY.networks * len(TINY.taus)
    assert len(steps & taus) == TINY.networks
