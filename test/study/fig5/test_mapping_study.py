# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

from neuron_reach.analysis import (
    intervals,
)
from neuron_reach.study import paper, verdict
from neuron_reach.study.engine.jobs import with_inputs
from neuron_reach.study.fig5 import mapping_study
from neuron_reach.study.fig5.mapping_findings import STATEMENTS, findings
from neuron_reach.study.html_report import Picture, Table
from neuron_reach.study.studies import SCALES, Results
from study.fig5.small_networks import maps_of, tiny_plan


def test_every_statement_on_figure_5_is_judged_once(outcome, monkeypatch):
    plan, results = outcome
    monkeypatch.setattr(intervals, 'RESAMPLES', 500)
    (section,) = plan.sections(results)
    published = [name for name in paper.names()[1] if name.startswith('fig5')]
    assert sorted(STATEMENTS) == sorted(published)
    assert [f.statement for f in section.findings] == [paper.statement(n).text for n in STATEMENTS]
    assert all('missing' not in finding.reason for finding in section.findings)
    assert 'error 0.0000' in section.findings[0].ours  # networks mapped onto themselves
    assert any(finding.verdict != verdict.INCONCLUSIVE for finding in section.findings)
    assert [type(item) for item in section.items] == [Picture] * 3 + [Table] * 2


def test_without_results_nothing_is_claimed(monkeypatch):
    plan = tiny_plan(monkeypatch)
    nothing = Results(lambda job: None)
    (section,) = plan.sections(nothing)
    assert {finding.verdict for finding in section.findings} == {verdict.INCONCLUSIVE}
    assert findings(maps_of(plan, nothing)) == section.findings


def test_networks_are_shared_with_the_other_studies():
    from neuron_reach.study.fig3 import size_study
    from neuron_reach.study.outlook import training_study

    for scale in SCALES.values():
        plan = mapping_study.plan(scale)
        mine = {job.address for job in with_inputs(plan.jobs)}
        others = [
            job
            for study in (training_study, size_study)
            for job in with_inputs(study.plan(scale).jobs)
            if job.address in mine
        ]
        kinds = [job.function.name for job in others]
        assert kinds.count('retrain') == 3 * scale.networks_by_joints
        trained = {job.address for job in plan.jobs + others if job.function.name == 'train'}
        assert trained == {a.address for a in with_inputs(plan.jobs) if a.function.name == 'train'}
