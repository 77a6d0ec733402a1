from commands.conftest import command as command
from commands.conftest import refused as refused
from commands.conftest import trained as trained
from commands.conftest import untrained as untrained
from learning.conftest import own as own
from learning.conftest import saved as saved
from learning.conftest import setup as setup
