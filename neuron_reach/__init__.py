# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""Look inside the networks that move robots: reach, record, prune and map.

The public functions and classes are in `__all__`, and described in docs/python.md. Each is
imported when it is first used, so that `import neuron_reach` is quick.
"""

from typing import TYPE_CHECKING

from neuron_reach.common import caches
from neuron_reach.common.versions import __version__ as __version__

caches.provide()  # before any of the libraries is loaded

__all__ = [
    'ActivityRecord',
    'Policy',
    'UserError',
    '__version__',
    'analyze',
    'distances',
    'from_torch',
    'layer_health',
    'load',
    'map',
    'prune',
    'read_bag',
]

if TYPE_CHECKING:
    from neuron_reach.analysis.layer_health import layer_health
    from neuron_reach.api.functions import analyze, distances, map, prune, read_bag
    from neuron_reach.errors import UserError
    from neuron_reach.policies.loading import load
    from neuron_reach.policies.policy import Policy
    from neuron_reach.policies.torch_module import from_torch
    from neuron_reach.records.record import ActivityRecord
else:
    from neuron_reach.common.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            'analysis.layer_health': 'layer_health',
            'api.functions': 'analyze distances map prune read_bag',
            'errors': 'UserError',
            'policies.loading': 'load',
            'policies.policy': 'Policy',
            'policies.torch_module': 'from_torch',
            'records.record': 'ActivityRecord',
        },
    )

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
