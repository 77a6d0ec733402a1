# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What works together with stable-baselines3, which has to be installed for it."""

from typing import TYPE_CHECKING

__all__ = ['ActivityCallback']

if TYPE_CHECKING:
    from neuron_reach.sb3.activity_callback import ActivityCallback
else:
    from neuron_reach.common.lazy import lazy_names

    __getattr__ = lazy_names(__name__, {'sb3.activity_callback': 'ActivityCallback'})
