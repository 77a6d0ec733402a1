from learning.conftest import own as own
from learning.conftest import saved as saved
from learning.conftest import setup as setup
