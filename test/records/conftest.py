from analysis.conftest import random_record as random_record
