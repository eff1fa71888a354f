import json

import pytest

from egress.refusal import Target
from egress.refusal import body_of


def rule(path):
    return json.loads(body_of("path_not_allowed", Target("api.example.com", 443, "https", "GET", path)))["rule"]


def test_the_suggested_rule_is_as_narrow_as_the_request():
    assert rule("/v2/x") == {"bottle:network": {"routes": [{"host": "api.example.com", "methods": ["GET"], "paths": ["/v2/x"]}]}}


@pytest.mark.parametrize("path", ["/v2/**", "/v2/*", "/v2/a*b", "/v2/%2a%2A"])
def test_a_path_that_would_be_a_glob_is_not_suggested(path):
    assert rule(path) is None
