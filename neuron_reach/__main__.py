"""`python -m neuron_reach`."""

from neuron_reach.cli import main

raise SystemExit(main())
