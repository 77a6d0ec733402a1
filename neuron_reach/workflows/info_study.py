# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Describe in words what reproduce leaves: its output folder, results of jobs, and reports."""

from __future__ import annotations

import html
import re
from collections import Counter
from pathlib import Path

from neuron_reach.common.files import Kind, read_bytes, read_json
from neuron_reach.common.names import ARRAYS, FAILURE, RECORD, REPORT, STORE, VALUES
from neuron_reach.common.paths import job_results, networks_in, reports_in
from neuron_reach.errors import UserError
from neuron_reach.workflows.info_results import Lines, count, layout, written

_LARGEST = 2**30
"""Bytes of a report that is read."""

_RECORD: Kind = {
    'label': str,
    'function': str,
    'version': int,
    'seconds': float,
    'cpu_seconds': float,
    'finished': str,
}


def describe_study(folder: Path) -> str:
    """Describe the output folder of reproduce.

    Raises:
        UserError: a record or a report is damaged, as for the functions below.
    """
    lines = [('Study', f'{folder}: output of reproduce')]
    lines += _store_lines(folder / STORE)
    for report in sorted(folder.glob(f'*/*/{REPORT}')):
        lines.append(('Report', f'{report}, written {written(report)}'))
    lines.append(('Next', 'the same reproduce command resumes it; studies share the results'))
    return layout(lines)


def describe_store(folder: Path) -> str:
    """Describe a folder of job results."""
    lines = [('Jobs', f'{folder}: results of reproduce'), *_store_lines(folder)]
    return layout([*lines, ('Next', f'neuron_reach info RESULT, a folder with {RECORD}')])


def _store_lines(folder: Path) -> Lines:
    done = Counter(read_json(path / RECORD, _RECORD)['function'] for path in job_results(folder))
    by_function = ', '.join(f'{number} {name}' for name, number in sorted(done.items()))
    lines = [('Done', count(sum(done.values()), 'job') + (f': {by_function}' if done else ''))]
    failed = sorted(folder.glob(f'*/*{FAILURE}'))
    if failed:
        lines.append(('Failed', f'{count(len(failed), "job")}, such as {failed[0]}'))
    return lines


def describe_job_result(folder: Path) -> str:
    """Describe the result of a job."""
    saved = read_json(folder / RECORD, _RECORD)
    read_json(folder / VALUES)  # to notice damage
    networks = networks_in(folder)
    contents = [VALUES, *([ARRAYS] if (folder / ARRAYS).exists() else [])]
    lines = [
        ('Result', str(folder)),
        ('Job', saved['label']),
        ('Function', f'{saved["function"]}, version {saved["version"]}'),
        ('Finished', f'{saved["finished"]}, in {saved["seconds"]:.1f} s'),
        ('Contents', ', '.join([*contents, count(len(networks), 'network')])),
    ]
    if networks:
        lines.append(('Next', f'neuron_reach analyze {networks[0]} -o DIR'))
    return layout(lines)


def describe_failure(file: Path) -> str:
    """Describe why a job failed."""
    text = read_bytes(file, _LARGEST).decode(errors='replace').splitlines()
    if len(text) < 2:
        raise UserError(f'{file}: is truncated or not written by neuron_reach')
    lines = [('Failed', text[0]), ('Because', text[1])]
    return layout([*lines, ('Next', 'the same reproduce command tries it again')])


def describe_report(folder: Path) -> str:
    """Describe the reports in a folder of a study."""
    return '\n\n'.join(map(_describe_report, reports_in(folder)))


def _describe_report(file: Path) -> str:
    text = read_bytes(file, _LARGEST).decode(errors='replace')
    title = re.search(r'<title>(.*?)</title>', text, re.DOTALL)
    if title is None or not text.rstrip().endswith('</html>'):
        raise UserError(f'{file}: is truncated or not written by neuron_reach')
    lines = [
        ('Report', f'{file}: written {written(file)}'),
        ('Study', html.unescape(title[1])),
    ]
    counts = re.search(r'Findings of the paper: <b>(.*?)</b>', text)
    if counts is not None:
        lines.append(('Findings', counts[1]))
    return layout([*lines, ('Next', f'open {file} in a browser')])
