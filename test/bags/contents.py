# Copyright 2026 neuron_reach maintainers
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
# in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
# express or implied. See the License for the specific language governing permissions and
# limitations under the License.

"""What a damaged bag still contains, read in all ways."""

from neuron_reach.bags.reader import BagReader
from neuron_reach.bags.summary import summarize
from neuron_reach.errors import UserError
from neuron_reach.records.recording import read_records


def everything(path):
    """Raw messages of a bag, and whether anything is said to be wrong with it."""
    try:
        reader = BagReader(path)
        payloads = list(reader.messages(raw=True))
        str(summarize(path))
        assert isinstance(reader.topics, dict)
    except UserError as error:
        assert '\n' not in str(error)
        return None, True
    assert reader.incomplete is None or '\n' not in reader.incomplete
    return payloads, reader.incomplete is not None


def activity(path):
    try:
        return read_records(path)
    except UserError as error:
        assert '\n' not in str(error)
        return None
