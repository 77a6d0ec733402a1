# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Findings on the statements of the paper about figure 5."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neuron_reach.analysis.intervals import Pairs, Statistic, mean_interval
from neuron_reach.common.arrays import Array
from neuron_reach.study import verdict
from neuron_reach.study.fig5.mapping_jobs import (
    BALANCED,
    GREEDY,
    JOINTS,
    LASSO,
    METRICS,
    NAIVE,
    RANDOM,
    REFLEXIVE,
    TRAINED,
    method_name,
)
from neuron_reach.study.fig5.mapping_values import (
    DIRECTIONS,
    NATIVE,
    Chosen,
    Direction,
    Maps,
    title,
)
from neuron_reach.study.findings import finding, unknown
from neuron_reach.study.html_report import Finding
from neuron_reach.study.verdict import Verdict

NAMED = (NATIVE, (3, 4), (4, 3), (4, 2), (2, 4))
"""The directions in the paper's figure."""

ERROR_MARGIN = 0.05
"""Largest difference of similar errors; predicting zero has an error of 1."""

SHARE_MARGIN = 0.1
"""Largest difference of similar shares of a layer."""

EXACT = 0.01
"""Tolerance of the means of reflexive mappings: proportional neurons share a column."""

HIDDEN = 6
FIRST, LAST, PENULTIMATE = 0, HIDDEN - 1, HIDDEN - 2
"""Indices of hidden layers in layer tables; the output layer follows them."""


def _own(first: int, end: int) -> Callable[[Array], Array]:
    """Return a function: the mean share of target layers first to end - 1 in their own layers."""
    places = list(range(first, end))
    return lambda tables: tables[..., places, places].mean(axis=-1)


def _excess(tables: Array) -> Array:
    """Return the mean share of hidden layers in their own layers minus that in other layers."""
    inner = tables[..., :HIDDEN, :HIDDEN]
    own = np.trace(inner, axis1=-2, axis2=-1)
    others = inner.sum(axis=(-2, -1)) - own
    result: Array = own / HIDDEN - others / (HIDDEN * (HIDDEN - 1))
    return result


def _ends(tables: Array) -> Array:
    """Return the mean own share of hidden layers 1 and 6 minus that of layers 2 to 5."""
    own = np.diagonal(tables, axis1=-2, axis2=-1)
    result: Array = own[..., [FIRST, LAST]].mean(axis=-1) - own[..., 1:LAST].mean(axis=-1)
    return result


def _use(layer: int) -> Callable[[Array], Array]:
    """Return a function: the mean share of a source layer over all target layers."""
    return lambda tables: tables[..., layer, :].mean(axis=-1)


class Judge:
    """Makes the findings on figure 5; each method judges one statement of the paper."""

    def __init__(self, maps: Maps) -> None:
        self.maps = maps

    def _more(self, greater: Pairs, smaller: Pairs, what: str) -> Verdict:
        return verdict.judge_difference(greater, smaller, what=what)

    def _all(self, name: str) -> dict[str, Pairs]:
        return {
            title(direction): self.maps.pairs(Chosen(direction), name) for direction in DIRECTIONS
        }

    def _native_table(self) -> Array:
        table = self.maps.table(Chosen(NATIVE))
        if table is None:
            raise ValueError('there are no mappings')
        return table

    def reflexive(self) -> Finding:
        """Judge whether networks map onto themselves without loss, at lambda = 0."""
        found = {
            metric: np.concatenate(
                [self.maps.pairs(Chosen((n, n), REFLEXIVE, 0.0), metric).values for n in JOINTS]
            )
            for metric in METRICS
        }
        verdicts = []
        for metric, ideal in (('error', 0.0), ('saturation', 0.0), ('coverage', 1.0)):
            values = found[metric][np.isfinite(found[metric])]
            verdicts.append(
                verdict.judge_alike(
                    values,
                    np.full(len(values), ideal),
                    margin=EXACT,
                    paired=True,
                    what=f'{metric} minus {ideal:g}',
                )
            )
        ours = ', '.join(f'{name} {np.nanmean(values):.4f}' for name, values in found.items())
        return finding('fig5_reflexive', f'means: {ours}', 'networks of all arms, λ=0', *verdicts)

    def greedy_error(self) -> Finding:
        """Compare the errors of greedy and linear mapping, among networks of the baseline."""
        greedy, linear = (
            self.maps.pairs(Chosen(NATIVE, lasso=way), 'error') for way in (None, LASSO)
        )
        return self._two('fig5_greedy_error', (GREEDY, greedy), (method_name(LASSO), linear))

    def greedy_coverage(self) -> Finding:
        """Compare the coverage of linear and greedy mapping."""
        linear, greedy = (
            self.maps.pairs(Chosen(NATIVE, lasso=way), 'coverage') for way in (LASSO, None)
        )
        return self._two('fig5_greedy_coverage', (method_name(LASSO), linear), (GREEDY, greedy))

    def random_error(self) -> Finding:
        """Compare the errors of random and trained networks, as sources of the baseline."""
        random, trained = (
            self.maps.pairs(Chosen(NATIVE, kind), 'error') for kind in (RANDOM, TRAINED)
        )
        return self._two('fig5_random_error', (RANDOM, random), (TRAINED, trained))

    def random_coverage(self) -> Finding:
        """Compare the coverage of trained and random networks."""
        trained, random = (
            self.maps.pairs(Chosen(NATIVE, kind), 'coverage') for kind in (TRAINED, RANDOM)
        )
        return self._two('fig5_random_coverage', (TRAINED, trained), (RANDOM, random))

    def _two(self, name: str, greater: tuple[str, Pairs], smaller: tuple[str, Pairs]) -> Finding:
        ours = ', '.join(f'{what} {mean_interval(p)}' for what, p in (greater, smaller))
        measure = f'{title(NATIVE)}, {greater[0]} minus {smaller[0]}'
        return finding(name, ours, measure, self._more(greater[1], smaller[1], 'difference'))

    def diagonal(self) -> Finding:
        """Judge whether hidden layers are predicted by the corresponding layers."""
        excess = self.maps.pairs(Chosen(NATIVE), 'layers', _excess)
        table = self._native_table()
        inner = table[:HIDDEN, :HIDDEN]
        best = int((inner.argmax(axis=0) == np.arange(HIDDEN)).sum())
        ours = (
            f'the share of own layers is larger by {mean_interval(excess)} than that of others; '
            f'in the mean table {best} of {HIDDEN} layers map best to their own'
        )
        measure = 'share in the own layer minus the mean share in another hidden layer'
        return finding('fig5_diagonal', ours, measure, verdict.judge_positive(excess))

    def first_and_last(self) -> Finding:
        """Judge whether layers 1 and 6 correspond more than layers 2 to 5."""
        pairs = self.maps.pairs(Chosen(NATIVE), 'layers', _ends)
        table = self._native_table()
        shares = ', '.join(f'{share:.2f}' for share in np.diagonal(table)[:HIDDEN])
        measure = 'mean own share of layers 1 and 6 minus that of layers 2 to 5'
        judged = verdict.judge_positive(pairs)
        return finding(
            'fig5_first_and_last', f'own shares of layers 1 to 6: {shares}', measure, judged
        )

    def joint_difference(self) -> Finding:
        """Judge whether error increases and coverage decreases with the difference of joints."""
        verdicts, ours = [], []
        for metric, sign in (('error', 1.0), ('coverage', -1.0)):
            pairs = self._all(metric)
            means = [
                _mean_of([t for t in pairs if abs(int(t[0]) - int(t[2])) == apart])
                for apart in range(len(JOINTS))
            ]
            for apart, (nearer, farther) in enumerate(itertools.pairwise(means)):
                verdicts.append(
                    verdict.judge_statistic(
                        _signed_difference(farther, nearer, sign),
                        pairs,
                        what=f'{metric}, change from difference {apart} to {apart + 1}:',
                    )
                )
            numbers = [_value(mean, pairs) for mean in means]
            ours.append(f'{metric} ' + ', '.join(f'{number:.3f}' for number in numbers))
        measure = 'means over the directions whose joints differ by 0, 1 and 2'
        text = '; '.join(ours) + ' at a difference of 0, 1, 2 joints'
        return finding('fig5_joint_difference', text, measure, *verdicts)

    def downwards(self) -> Finding:
        """Judge whether mappings onto fewer joints have the lower error."""
        pairs = self._all('error')
        down = _mean_of([t for t in pairs if t[0] > t[2]])
        up = _mean_of([t for t in pairs if t[0] < t[2]])
        judged = verdict.judge_statistic(_signed_difference(up, down, 1.0), pairs)
        values = [_value(mean, pairs) for mean in (down, up)]
        ours = f'error onto fewer joints {values[0]:.3f}, onto more {values[1]:.3f}'
        measure = 'mean error of 2-3, 2-4, 3-4 minus that of 3-2, 4-2, 4-3'
        return finding('fig5_downwards', ours, measure, judged)

    def baseline_42(self) -> Finding:
        """Judge whether the error of 4-2 is closest to that of 3-3."""
        errors = {title(d): self.maps.pairs(Chosen(d), 'error') for d in NAMED}
        native, nearest = title(NATIVE), title((4, 2))
        verdicts = [
            verdict.judge_statistic(
                _closer(native, nearest, other), errors, what=f'{other}, excess distance'
            )
            for other in errors
            if other not in (native, nearest)
        ]
        ours = self._errors(errors)
        measure = 'distance of the error to that of 3-3: each other named direction minus 4-2'
        return finding('fig5_42_baseline', ours, measure, *verdicts)

    def alike_34_43(self) -> Finding:
        """Judge whether 3-4 and 4-3 have similar errors, above that of 4-2."""
        errors = {title(d): self.maps.pairs(Chosen(d), 'error') for d in ((3, 4), (4, 3), (4, 2))}
        verdicts = [
            verdict.judge_alike(
                errors['3-4'], errors['4-3'], margin=ERROR_MARGIN, what='3-4 minus 4-3'
            ),
            *(self._more(errors[d], errors['4-2'], f'{d} minus 4-2') for d in ('3-4', '4-3')),
        ]
        return finding('fig5_34_43', self._errors(errors), 'mean errors', *verdicts)

    def worst_24(self) -> Finding:
        """Judge whether 2-4 has the largest error."""
        errors = {title(d): self.maps.pairs(Chosen(d), 'error') for d in NAMED}
        verdicts = [
            self._more(errors['2-4'], pairs, f'2-4 minus {other}')
            for other, pairs in errors.items()
            if other != '2-4'
        ]
        measure = 'mean error minus that of each other direction that the paper names'
        return finding('fig5_24_worst', self._errors(errors), measure, *verdicts)

    def _listed(self, values: Mapping[str, Pairs]) -> str:
        return ', '.join(f'{name} {pairs.mean:.3f}' for name, pairs in values.items())

    def _errors(self, errors: Mapping[str, Pairs]) -> str:
        """Format errors, followed by those of the hidden neurons alone."""
        hidden = {
            title(direction): self.maps.pairs(Chosen(direction), 'hidden_error')
            for direction in DIRECTIONS
            if title(direction) in errors
        }
        return f'{self._listed(errors)}; of hidden neurons only: {self._listed(hidden)}'

    def balanced(self) -> Finding:
        """Judge whether balanced inputs reduce the error of 4-2."""
        naive, balanced = (
            self.maps.pairs(Chosen((4, 2), transform=kind), 'error') for kind in (NAIVE, BALANCED)
        )
        ours = f'error naive {naive.mean:.3f}, balanced {balanced.mean:.3f}'
        judged = self._more(naive, balanced, 'difference')
        return finding('fig5_balanced', ours, 'error of 4-2, naive minus balanced', judged)

    def first_layer(self) -> Finding:
        """Judge whether the first source layer is used more than each other one."""
        return self._uses('fig5_first_layer', FIRST, DIRECTIONS, 1.0)

    def penultimate(self) -> Finding:
        """Judge whether the penultimate source layer is used less than each other one."""
        return self._uses('fig5_penultimate_unused', PENULTIMATE, DIRECTIONS, -1.0)

    def first_layer_24(self) -> Finding:
        """Judge whether 2-4 uses the first source layer more than each other one."""
        return self._uses('fig5_24_first_layer', FIRST, [(2, 4)], 1.0)

    def _uses(self, name: str, layer: int, directions: Sequence[Direction], sign: float) -> Finding:
        by_layer = [
            {
                f'{title(direction)}, {place}': self.maps.pairs(
                    Chosen(direction), 'layers', _use(place)
                )
                for direction in directions
            }
            for place in range(HIDDEN)
        ]
        means = [_mean_of(list(samples)) for samples in by_layer]
        verdicts = [
            verdict.judge_statistic(
                _signed_difference(means[layer], means[other], sign),
                {**by_layer[layer], **by_layer[other]},
                what=f'difference from layer {other + 1}:',
            )
            for other in range(HIDDEN)
            if other != layer
        ]
        shares = [_value(mean, samples) for mean, samples in zip(means, by_layer, strict=True)]
        ours = 'shares of source layers 1 to 6: ' + ', '.join(f'{s:.2f}' for s in shares)
        where = 'all directions' if len(directions) > 1 else title(directions[0])
        measure = f'share of the source layer, mean over the target layers, {where}'
        return finding(name, ours, measure, *verdicts)

    def layerwise_34(self) -> Finding:
        """Judge whether the first two layers map onto their own in 3-4 and 4-3 as in 3-3."""
        shares = {
            title(d): self.maps.pairs(Chosen(d), 'layers', _own(0, 2))
            for d in (NATIVE, (3, 4), (4, 3))
        }
        verdicts = [
            verdict.judge_alike(
                shares[d], shares[title(NATIVE)], margin=SHARE_MARGIN, what=f'{d} minus 3-3'
            )
            for d in ('3-4', '4-3')
        ]
        measure = 'mean own share of hidden layers 1 and 2'
        return finding('fig5_layerwise_34', self._listed(shares), measure, *verdicts)

    def layerwise_42(self) -> Finding:
        """Judge whether layers correspond less in 4-2 than in 3-3, and even less in 2-4."""
        excess = {
            title(d): self.maps.pairs(Chosen(d), 'layers', _excess)
            for d in (NATIVE, (4, 2), (2, 4))
        }
        verdicts = [
            self._more(excess['3-3'], excess['4-2'], '3-3 minus 4-2'),
            self._more(excess['4-2'], excess['2-4'], '4-2 minus 2-4'),
        ]
        measure = 'share in the own layer minus the mean share in another hidden layer'
        return finding('fig5_layerwise_42', self._listed(excess), measure, *verdicts)


STATEMENTS: dict[str, Callable[[Judge], Finding]] = {
    'fig5_reflexive': Judge.reflexive,
    'fig5_greedy_error': Judge.greedy_error,
    'fig5_greedy_coverage': Judge.greedy_coverage,
    'fig5_random_error': Judge.random_error,
    'fig5_random_coverage': Judge.random_coverage,
    'fig5_diagonal': Judge.diagonal,
    'fig5_first_and_last': Judge.first_and_last,
    'fig5_joint_difference': Judge.joint_difference,
    'fig5_downwards': Judge.downwards,
    'fig5_42_baseline': Judge.baseline_42,
    'fig5_34_43': Judge.alike_34_43,
    'fig5_24_worst': Judge.worst_24,
    'fig5_balanced': Judge.balanced,
    'fig5_first_layer': Judge.first_layer,
    'fig5_penultimate_unused': Judge.penultimate,
    'fig5_layerwise_34': Judge.layerwise_34,
    'fig5_layerwise_42': Judge.layerwise_42,
    'fig5_24_first_layer': Judge.first_layer_24,
}


def findings(maps: Maps) -> list[Finding]:
    """Return the findings on figure 5; inconclusive if results are missing."""
    judge = Judge(maps)
    found = []
    for name, make in STATEMENTS.items():
        try:
            found.append(make(judge))
        except ValueError:  # from Pairs without a value
            found.append(unknown(name, 'the required mappings are missing'))
    return found


def _value(statistic: Statistic, samples: Mapping[str, Pairs]) -> float:
    return float(statistic({name: np.array(pairs.mean) for name, pairs in samples.items()}))


def _mean_of(names: Sequence[str]) -> Statistic:
    return lambda mean: np.asarray(sum(mean[name] for name in names) / len(names))


def _signed_difference(first: Statistic, second: Statistic, sign: float) -> Statistic:
    return lambda mean: sign * (first(mean) - second(mean))


def _closer(native: str, nearest: str, other: str) -> Statistic:
    """Return how much farther `other` is from `native` than `nearest` is."""
    return lambda mean: abs(mean[other] - mean[native]) - abs(mean[nearest] - mean[native])
