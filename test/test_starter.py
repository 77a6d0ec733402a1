"""The starter, without a ROS graph."""

import signal
import sys

import pytest

from neuron_reach.graph import Phase, Process
from neuron_reach.starter import run


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Leaves the environment and the signals of the tests alone."""
    monkeypatch.setattr('neuron_reach.starter.local_ros', lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_who_was_killed_is_said(capfd):
    kill = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'
    killed = Process('checking', command=(sys.executable, '-c', kill))
    assert run([Phase('checking', killed)]) == 9
    assert capfd.readouterr().err == 'checking was killed (signal 9)\n'
