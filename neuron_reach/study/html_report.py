# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""A report as one self-contained HTML file: figures as SVG, tables, findings, origin."""

from __future__ import annotations

import dataclasses
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from neuron_reach.common.files import write_text
from neuron_reach.common.names import FIGURES, PICTURES, beside
from neuron_reach.errors import UserError

DOTS_PER_INCH = 200
MARK_HEIGHT = 0.2  # inch
SYMBOLS = {'confirmed': '✓', 'inconclusive': '?', 'differs': '✗'}
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #bbb; }
figure { margin: 1.5rem 0; break-inside: avoid; } figure svg { max-width: 100%; height: auto; }
figcaption, caption { font-size: .9rem; color: #444; text-align: left; padding: .3rem 0; }
table { border-collapse: collapse; font-size: .9rem; margin: 1rem 0; }
td, th { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { white-space: nowrap; font-weight: 600; }
.confirmed { color: #00539c; } .differs { color: #a3320b; } .inconclusive { color: #555; }
pre { background: #f3f3f3; padding: .8rem; overflow-x: auto; }
.mark { background: #fff3cd; border: 1px solid #b38600; padding: .5rem .8rem; }
.wide { overflow-x: auto; }
@media print { body { max-width: none; margin: 0; } a { color: inherit; } }
"""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure in a report.

    Attributes:
        name: of its files beside the report, without ending.
        figure: what to draw.
        caption: the text below it.
        alternative: the text for readers who cannot see it.
    """

    name: str
    figure: Figure
    caption: str
    alternative: str

    def html(self) -> str:
        """Return the HTML element."""
        return (
            f'<figure role="group">{inline_svg(self.figure, self.name, self.alternative)}'
            f'<figcaption>{html.escape(self.caption)}</figcaption></figure>'
        )


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts; cells that begin with a digit or a sign are right-aligned as numbers."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ''

    def html(self) -> str:
        """Return the HTML element."""
        head = ''.join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        caption = f'<caption>{html.escape(self.caption)}</caption>' if self.caption else ''
        body = '\n'.join('<tr>' + ''.join(map(_cell, row)) + '</tr>' for row in self.rows)
        table = f'<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        return f'<div class="wide">{table}</div>'


def _cell(text: str) -> str:
    kind = ' class="number"' if re.match(r'[-+.]?\d', text) else ''
    return f'<td{kind}>{html.escape(text)}</td>'


@dataclasses.dataclass(frozen=True)
class Finding:
    """A result compared with a statement of the paper.

    Attributes:
        statement: what the paper says.
        where: its place in the paper.
        ours: the result of this study.
        verdict: 'confirmed', 'inconclusive' or 'differs'.
        reason: for the verdict.
    """

    statement: str
    where: str
    ours: str
    verdict: str
    reason: str

    def cells(self) -> str:
        """Return its cells for the table of findings."""
        kind = self.verdict.replace(' ', '-')
        word = f'{SYMBOLS[self.verdict]} {self.verdict}'
        place = f'<br><small>{html.escape(self.where)}</small>'
        return (
            f'<td>{html.escape(self.statement)}{place}</td><td>{html.escape(self.ours)}</td>'
            f'<td class="verdict {kind}">{word}</td><td>{html.escape(self.reason)}</td>'
        )


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a report: one or more paragraphs, findings, then pictures and tables in order."""

    title: str
    text: str
    findings: Sequence[Finding] = ()
    items: Sequence[Picture | Table] = ()

    def html(self) -> str:
        """Return the HTML element."""
        parts = [f'<h2>{html.escape(self.title)}</h2>']
        parts += [f'<p>{html.escape(paragraph)}</p>' for paragraph in self.text.split('\n\n')]
        if self.findings:
            parts.append(_findings(self.findings))
        parts += [item.html() for item in self.items]
        return '\n'.join(parts)


@dataclasses.dataclass(frozen=True)
class HtmlReport:
    """A report of studies.

    Attributes:
        title: its heading.
        introduction: its subject, in paragraphs.
        rule: how verdicts are made, in paragraphs; shown if there are findings.
        sections: its parts.
        command: the command that reproduces it.
        origin: of the numbers: seeds, versions, durations.
        mark: warning on top and on every figure if the report is not of full scale.
    """

    title: str
    introduction: str
    rule: str
    sections: Sequence[Section]
    command: str
    origin: Sequence[Table]
    mark: str = ''

    def html(self) -> str:
        """Return the report as HTML."""
        findings = [finding for section in self.sections for finding in section.findings]
        parts = [f'<h1>{html.escape(self.title)}</h1>']
        if self.mark:
            parts.append(f'<p class="mark">{html.escape(self.mark)}</p>')
        parts += [f'<p>{html.escape(text)}</p>' for text in self.introduction.split('\n\n')]
        if findings:
            counts = [
                f'{sum(finding.verdict == word for finding in findings)} {word}' for word in SYMBOLS
            ]
            parts.append(f'<p>Findings of the paper: <b>{", ".join(counts)}</b>.</p>')
        parts += [section.html() for section in self.sections]
        if findings:
            parts.append('<h2>How verdicts are made</h2>')
            parts += [f'<p>{html.escape(text)}</p>' for text in self.rule.split('\n\n')]
        parts.append('<h2>Origin of the numbers</h2>')
        parts.append(
            f'<p>Command that reproduces this report:</p><pre>{html.escape(self.command)}</pre>'
        )
        parts += [table.html() for table in self.origin]
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{html.escape(self.title)}</title>\n<style>{STYLE}</style>\n</head>\n'
            '<body>\n' + '\n'.join(parts) + '\n</body>\n</html>\n'
        )


def _findings(findings: Sequence[Finding]) -> str:
    names = ('paper', 'this study', 'verdict', 'reason')
    head = ''.join(f'<th scope="col">{name}</th>' for name in names)
    body = '\n'.join(f'<tr>{finding.cells()}</tr>' for finding in findings)
    table = f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def inline_svg(figure: Figure, name: str, alternative: str) -> str:
    """Return a figure as an SVG element that can be combined with others in one HTML file.

    Args:
        figure: what to draw.
        name: prefix of all identifiers in the element, so that they are unique in the file.
        alternative: the text for readers who cannot see it.
    """
    file = io.StringIO()
    with mpl.rc_context({'svg.hashsalt': name, 'svg.fonttype': 'path'}):
        figure.savefig(file, format='svg', metadata={'Date': None})
    text = file.getvalue()
    text = text[text.index('<svg') :]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r'url\(#([^)]+)\)', rf'url(#{name}-\1)', text)
    label = html.escape(alternative)
    return text.replace('<svg', f'<svg role="img" aria-label="{label}"', 1)


def _mark(figure: Figure, text: str) -> None:
    """Write a line at the top of a figure, which is enlarged for it."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + MARK_HEIGHT)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.0, 0.0, 1.0, height / (height + MARK_HEIGHT)))
    figure.text(0.995, 0.995, text, ha='right', va='top', fontsize=7, color='#7a5c00')


def write_report(path: Path, report: HtmlReport) -> None:
    """Write a report, and its figures as SVG and PNG into the folder `figures` next to it.

    Raises:
        UserError: the place cannot be written to.
    """
    pictures = [
        item for section in report.sections for item in section.items if isinstance(item, Picture)
    ]
    if report.mark:
        for picture in pictures:
            _mark(picture.figure, report.mark)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            folder = path.parent / FIGURES
            folder.mkdir(exist_ok=True)
            png, svg = (beside(folder / picture.name, ending) for ending in PICTURES)
            picture.figure.savefig(png, dpi=DOTS_PER_INCH)
            picture.figure.savefig(svg)
        write_text(path, report.html())
    except OSError as error:
        raise UserError(f'{path}: cannot be written: {error}') from None
