# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Train an arm in this process, without ROS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from neuron_reach.arm.simulator import FleetSimulator
from neuron_reach.common.progress import ShowProgress
from neuron_reach.gazebo.arms import GazeboArms
from neuron_reach.gazebo.options import GazeboOptions
from neuron_reach.learning.kernels import use_one_core
from neuron_reach.learning.rollout import Arms
from neuron_reach.learning.session import Session
from neuron_reach.learning.setup import SessionOptions, Setup
from neuron_reach.learning.training import Training, training_note


def run_training(
    setup: Setup,
    run_dir: Path,
    options: SessionOptions,
    *,
    gazebo: GazeboOptions | None,
    progress: ShowProgress,
    saved: Callable[[Path], None],
) -> Path:
    """Train until the validation test is passed and confirmed, then measure the accuracy.

    A run that was interrupted resumes; of a finished one, only a missing accuracy is measured.

    Args:
        setup: what to train.
        run_dir: made if need be.
        options: of saving and of the accuracy test.
        gazebo: arms in Gazebo with these options; None: simulated arms.
        progress: shows how many episodes are done.
        saved: called with the checkpoint written last when training ends or is interrupted.

    Returns:
        The checkpoint of the trained network.

    Raises:
        NotTrainedError: not passed within `max_episodes`; the training state is saved.
        UserError: the folder is in use, cannot be written, or holds another run.
    """
    use_one_core()
    session = Session(setup, run_dir, options.checkpoint_interval)
    training = session.training
    with contextlib.ExitStack() as started:
        started.callback(session.close)

        def make_fleet(arms: int) -> Arms:
            if gazebo is None:
                return FleetSimulator(setup.arm, arms)
            return started.enter_context(GazeboArms(setup.arm, arms, gazebo))

        def after_round(running: Training) -> None:
            progress('training', running.episodes, note=training_note(running))

        if training is not None:
            try:
                session.train(make_fleet, after_round)
            finally:
                saved(session.newest)
        session.measure(make_fleet, options.test_episodes)
    return session.final
