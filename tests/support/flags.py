"""Flags as tests make them, and callers who evaluate them."""

from tests.support.stack import call, until

STAR = {"If-Match": "*"}


def client_key(stack, app, environment="production"):
    """A key of role flags:client."""
    made = stack.api("POST", "/keys", {"name": "flags", "kind": "api", "principal": {
        "kind": "service", "roles": ["flags:client"], "apps": [app], "environment": environment}})
    assert made.status == 201, made
    return made["key"]


def define(stack, app, name, **body):
    made = stack.api("PUT", f"/apps/{app}/flags/{name}", body, headers=STAR)
    assert made.status in (200, 201), made


def say(stack, app, name, environment="production", enabled=True, **state):
    """What a flag is in an environment; the revision of that."""
    answer = stack.api("PUT", f"/apps/{app}/environments/{environment}/flags/{name}", {"enabled": enabled, **state}, headers=STAR)
    assert answer.status in (200, 201), answer
    return answer["revision"]


def switch(stack, app, name, verb, environment="production"):
    answer = stack.api("POST", f"/apps/{app}/environments/{environment}/flags/{name}/{verb}", {})
    assert answer.status == 200, answer
    return answer["revision"]


def rollout(percent, **more):
    return {"name": "flexibleRollout", "parameters": {"rollout": str(percent), "stickiness": "default", "groupId": "g"}, **more}


class Client:
    """A caller with a key, at one of the servers."""

    def __init__(self, stack, app, environment="production", replica=0):
        self.url, self.key = stack.urls[replica], client_key(stack, app, environment)

    def ask(self, method, path, body=None, headers=None):
        return call(method, self.url + path, body, headers={"X-API-Key": self.key, **(headers or {})})

    def one(self, flag, **context):
        return self.ask("POST", f"/ofrep/v1/evaluate/flags/{flag}", {"context": context})

    def all(self, headers=None, query="", **context):
        return self.ask("POST", "/ofrep/v1/evaluate/flags" + query, {"context": context}, headers)

    def unleash(self, method, path, body=None, headers=None):
        """As an SDK of Unleash's sends its token."""
        return call(method, self.url + path, body, headers={"Authorization": self.key, **(headers or {})})

    def wait(self, revision):
        """Until a revision is served."""
        def served():
            answer = self.all()
            return answer.status == 200 and answer["metadata"]["revision"] >= revision and answer
        return until(served, what=f"revision {revision} is served")
