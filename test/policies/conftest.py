from api.conftest import folders as folders
from api.conftest import policy as policy
from api.conftest import record as record
