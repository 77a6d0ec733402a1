# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""The pruning procedure on a policy of stable-baselines3 in a Gymnasium environment.

The folder holds `reduction.json` (the options), `start.zip` (the policy), `start.json` (how it did
in the test), `step_<k>` for every step, and a summary. A step's folder holds the results of pruning
(`pruned.zip`, `pruning.json` and so on), `trained.zip`, `policy` (the same with its
normalization) and `retraining.json`, and, while it trains, the state in `training`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path

from neuron_reach.analysis.options import EnvOptions, PruningOptions
from neuron_reach.common.files import Kind, lock_folder, read_json
from neuron_reach.common.names import (
    POLICY,
    POLICY_FOLDER,
    PRUNED_FILE,
    RESULTS,
    START_FILE,
    START_TEST,
    TRAINED_FILE,
    step_folder,
)
from neuron_reach.common.progress import ShowProgress, renamed
from neuron_reach.common.random_streams import retraining_seed
from neuron_reach.common.results import (
    claim_folder,
    from_json,
    make_folder,
    replaced_results,
    to_json,
    write_json,
)
from neuron_reach.common.versions import versions
from neuron_reach.errors import UserError
from neuron_reach.policies.archives import open_archive
from neuron_reach.policies.criterion import SUCCESS, Criterion, Score
from neuron_reach.policies.feed_forward import FeedForwardPolicy
from neuron_reach.policies.playing import PlayOptions, record_policy
from neuron_reach.policies.policy import Policy
from neuron_reach.policies.sb3 import FORMAT, read_sb3, write_sb3
from neuron_reach.policies.sb3_file import read_file
from neuron_reach.sb3.rebuilding import Hyperparameters, Plain, hyperparameters
from neuron_reach.sb3.retraining import (
    SCORE,
    RetrainingPlan,
    RetrainingStatus,
    prepared,
    retrain,
)
from neuron_reach.workflows.env_reduction_summary import (
    EnvPruning,
    EnvReductionSummary,
    read_summary,
    write_summary,
)
from neuron_reach.workflows.prune import write_clusters

_START: Kind = {'env': str, 'until': float | None, 'score': SCORE}


class EnvReduction:
    """A pruning procedure in an environment, and its folder.

    Attributes:
        policy: the one to start from.
        folder: of the results.
        criterion: the test that every retrained network has to pass.
        hyperparameters: of its training.
    """

    def __init__(
        self,
        policy: Policy,
        folder: Path,
        pruning: PruningOptions,
        options: EnvOptions,
        *,
        steps: int,
        episodes: int,
        chosen: dict[str, Plain],
        normalization: Path | None = None,
    ) -> None:
        """Resume the procedure in a folder, or start it there.

        Args:
            policy: of stable-baselines3.
            folder: made if need be; used by one procedure at a time.
            pruning: how to prune.
            options: of testing and training.
            steps: how often to prune.
            episodes: sample episodes by which neurons are clustered.
            chosen: hyperparameters of the training by name, which come before those of the policy.
            normalization: file of statistics by which observations are normalized, which stay
                fixed; None: as the policy itself does.

        Raises:
            UserError: the policy cannot be retrained; or the folder is in use, cannot be written,
                or holds another procedure.
        """
        if not isinstance(policy, FeedForwardPolicy) or policy.origin.format != FORMAT:
            raise UserError(
                'only policies of stable-baselines3 can be retrained in an environment; this one '
                f'is {getattr(getattr(policy, "origin", None), "format", "") or "of another kind"}'
            )
        self.hyperparameters = _read_hyperparameters(policy.source, chosen)
        if normalization is not None:
            policy = policy.with_normalization(normalization)
        self.policy, self.folder, self.pruning = policy, folder, pruning
        self.options, self.steps, self.episodes = options, steps, episodes
        self.criterion = Criterion(
            options.env, parse_until(options.until), options.accuracy, options.test_episodes
        )
        self.plan = RetrainingPlan(
            self.criterion,
            options.budget,
            options.test_every,
            options.envs or None,
            chosen,
            preparation=policy.network.preparation,
            seed=options.seed,
        )
        claim_folder(folder, 'prune-train', {})  # `_check` compares the options
        self._lock = lock_folder(folder, 'prune-train')
        self._check()

    def _check(self) -> None:
        """Write the options of the procedure, or make sure that they are the same as before."""
        file = self.folder / RESULTS['prune-train']
        now = to_json(
            {
                'source': str(Path(self.policy.origin.path).resolve()),
                'network': self.policy.network.digest,
                'hidden': self.policy.sizes[1:-1],
                'pruning': self.pruning,
                'episodes': self.episodes,
                'env': self.criterion.env,
                'until': self.criterion.until,
                'accuracy': self.criterion.accuracy,
                'test_episodes': self.criterion.episodes,
                'test_every': self.options.test_every,
                'envs': self.options.envs,
                'seed': self.options.seed,
                'hyperparameters': self.plan.chosen,
            }
        )
        begun = step_folder(self.folder, 1).exists()
        if file.exists():
            saved = read_json(file)
            if 'env' not in saved:
                raise UserError(
                    f'{file}: holds a reduction of a checkpoint, without --env; use another folder'
                )
            for key, value in now.items():
                if saved.get(key) != value and (begun or key in ('source', 'network')):
                    raise UserError(
                        f'{file}: holds a reduction with {key}={saved.get(key)}, not {value}; '
                        'use the same options or another folder'
                    )
        if not begun:
            write_sb3(prepared(self.policy, ()), self.folder / START_FILE)
            write_json(file, {**now, 'versions': versions()})

    def run(self, progress: ShowProgress) -> EnvReductionSummary:
        """Do all steps that are not done yet, and write the summary.

        A step whose network does not pass the test within the budget ends the procedure.

        Args:
            progress: shows how far each part of a step is.

        Raises:
            UserError: the policy itself does not pass the test; or it does not fit the environment
                or the library, or a file cannot be written.
        """
        self._test_start(progress)
        for step in range(1, self.steps + 1):
            pruning = self._prune(step, progress)
            done = retrain(
                step_folder(self.folder, step) / PRUNED_FILE,
                step_folder(self.folder, step),
                dataclasses.replace(self.plan, step=step),
                progress,
                pruning.score,
            )
            if done.status is not RetrainingStatus.TRAINED:
                break
            self._save_policy(step)
        return self.write_summary()

    def _test_start(self, progress: ShowProgress) -> None:
        """Test the policy to start from, unless that is done, and make sure that it passes.

        Raises:
            UserError: it does not.
        """
        file, asked = self.folder / START_TEST, self.criterion
        score = None
        if file.exists():
            saved = read_json(file, _START)
            score = from_json(Score, saved['score'])
            same = (saved['env'], saved['until']) == (asked.env, asked.until)
            if not same or score.episodes != asked.episodes:
                score = None
        if score is None:
            score = asked.test(self.policy, self._seed(0, 'initial'), renamed(progress, 'testing'))
            write_json(file, {'env': asked.env, 'until': asked.until, 'score': score})
        if not asked.passed(score):
            raise UserError(
                f'{self.policy.origin.path}: does not pass the test itself: {score}; '
                f'{asked.required} successes are required for an accuracy of more than '
                f'{asked.accuracy:g}. Ask for less with --accuracy or --until'
            )

    def _seed(self, step: int, purpose: str) -> int:
        return retraining_seed(self.options.seed, step, purpose)

    def _prune(self, step: int, progress: ShowProgress) -> EnvPruning:
        """Prune the network of the step before, test it and write the results, unless done."""
        folder = step_folder(self.folder, step)
        if (folder / RESULTS['prune']).exists():
            return EnvPruning.read(folder)
        file = self.folder / START_FILE
        if step > 1:
            file = step_folder(self.folder, step - 1) / TRAINED_FILE
        policy = prepared(read_sb3(file), self.plan.preparation)
        options = PlayOptions(self.episodes, self._seed(step, 'record'))
        show = renamed(progress, f'step {step}: recording')
        record, _ = record_policy(policy, self.criterion.env, options, show)
        smaller, found = policy.pruned(record, self.pruning)
        score = self.criterion.test(
            smaller, self._seed(step, 'initial'), renamed(progress, f'step {step}: testing')
        )
        results = EnvPruning(
            source=str(file.resolve()),
            network=policy.network.digest,
            notes=record.notes,
            options=self.pruning,
            episodes=record.episodes,
            hidden_before=policy.sizes[1:-1],
            hidden=smaller.sizes[1:-1],
            dead=tuple(found.dead.values()),
            thresholds=tuple(found.thresholds.values()),
            methods=tuple(found.methods.values()),
            score=score,
            versions=versions(),
        )
        make_folder(folder)
        with replaced_results(folder, 'prune', to_json(results)) as new:
            write_sb3(prepared(smaller, ()), new / PRUNED_FILE)
            write_clusters(new, record, found)
        return results

    def _save_policy(self, step: int) -> None:
        """Save the retrained policy with its normalization, which `trained.zip` leaves out."""
        folder = step_folder(self.folder, step)
        if not (folder / POLICY_FOLDER / POLICY).exists():
            policy = prepared(read_sb3(folder / TRAINED_FILE), self.plan.preparation)
            policy.save(folder / POLICY_FOLDER)

    def write_summary(self) -> EnvReductionSummary:
        """Write the summary as JSON, CSV and a figure; return it.

        Raises:
            UserError: a file cannot be written, or is damaged.
        """
        summary = read_summary(self.folder, self.steps, self.options.budget)
        write_summary(self.folder, summary)
        return summary

    def close(self) -> None:
        """Release the folder for other processes."""
        self._lock.close()


def _read_hyperparameters(file: Path | None, chosen: dict[str, Plain]) -> Hyperparameters:
    if file is None:
        raise UserError('the policy is known without the file that it comes from')
    with open_archive(file) as archive:
        return hyperparameters(read_file(archive), chosen)


def parse_until(text: str) -> float | None:
    """Return the least return of a successful episode; None: success is `info['is_success']`.

    Raises:
        UserError: it is neither a number nor `success`.
    """
    if text == SUCCESS:
        return None
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise UserError(f'--until must be a return or {SUCCESS}, not {text!r}')
