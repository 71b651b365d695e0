"""API keys from outside: made, sent in each way, limited, exchanged, revoked; those of one environment; when they were used."""

import hashlib
import json
import re
import subprocess
import time

import pytest

from tests.api.conftest import heads, refused
from tests.api.test_bad_input import ROUTES
from tests.support.stack import IMAGE, Stack, call, until

FORM = re.compile(r"slk_([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})_[0-9a-f]{64}")


def ask(stack, kind="bot", roles=("viewer",), apps=("*",), environment=None, token=None, headers=None, **more):
    principal = {"kind": kind, "roles": list(roles), "apps": list(apps), **({"environment": environment} if environment else {})}
    return stack.api("POST", "/keys", {"name": "a key", "kind": "api", "principal": principal, **more}, token=token, headers=headers)


def make(stack, **how):
    answer = ask(stack, **how)
    assert answer.status == 201 and FORM.fullmatch(answer["key"]).group(1) == answer["id"], answer
    return answer


def of_flags(stack, app, environment="production", **more):
    return make(stack, kind="service", roles=["flags:client"], apps=[app], environment=environment, **more)


def send(stack, path="/me", method="GET", body=None, replica=0, **headers):
    return call(method, f"{stack.urls[replica]}/api/v1{path}", body, headers={name.replace("_", "-"): v for name, v in headers.items()})


def works(stack, key, replica=0):
    return send(stack, replica=replica, X_API_Key=key).status == 200


def test_a_key_from_the_cradle_to_the_grave(stack, app):
    made = make(stack, roles=["releaser"], apps=[app])
    id, key = made["id"], made["key"]
    assert made.headers["Location"] == f"/api/v1/keys/{id}" and made["last_used_at"] is None and len(made["secrets"]) == 1
    shown = stack.api("GET", f"/keys/{id}")
    assert shown.json == {name: value for name, value in made.json.items() if name != "key"} and shown["kind"] == "api"
    for headers in ({"Authorization": f"Bearer {key}"}, {"X_API_Key": key}, {"Authorization": f"Bearer {key}", "X_API_Key": key}):
        me = send(stack, **headers)
        assert (me.status, me["kind"], me["subject"], me["issuer"], me["display_name"], me["roles"], me["apps"], me["environment"],
                me["expires_at"]) == (200, "bot", id, "sluice-key", "a key", ["releaser"], [app], None, None)
    body = {"version": "v1.0.0", "image": IMAGE}
    assert send(stack, f"/apps/{app}/releases", "POST", body, X_API_Key=key).status == 201
    assert stack.chain(app)[-1]["actor"] == {"kind": "bot", "subject": id, "issuer": "sluice-key"}
    refused(send(stack, "/apps/other/releases", "POST", body, X_API_Key=key), 403, "forbidden")
    refused(send(stack, f"/apps/{app}", "DELETE", X_API_Key=key), 403, "forbidden")
    assert stack.api("DELETE", f"/keys/{id}").status == 204
    refused(send(stack, X_API_Key=key), 401, "unauthenticated")
    refused(send(stack, Authorization=f"Bearer {key}"), 401, "unauthenticated")
    assert [r["action"] for r in stack.chain("system") if r["subject"] == id] == ["key.created", "key.revoked"]


def test_what_is_no_key_is_refused(stack):
    made = make(stack)
    key, other = made["key"], make(stack)["key"]
    last = "0" if key[-1] != "0" else "1"
    for bad in ("slk_", key[:-1], key + "0", key[:-1] + last, key.upper(), "sls_" + key[4:], f"slk_{made['id']}",
                key[:41] + other[41:], f"Bearer {key}", stack.token):
        refused(send(stack, X_API_Key=bad), 401, "unauthenticated")
    for bad in (key, f"Basic {key}", f"Bearer {key}0", f"Bearer Bearer {key}"):
        refused(send(stack, Authorization=bad), 401, "unauthenticated")
    for first, second in ((key, other), (stack.token, key), (key, stack.token), (key, "")):
        answer = refused(send(stack, Authorization=f"Bearer {first}", X_API_Key=second), 401, "unauthenticated")
        assert "different" in answer["detail"] and answer.headers["WWW-Authenticate"] == "Bearer"
    assert works(stack, key) and works(stack, other)


def test_only_a_digest_is_kept_and_nothing_repeats_the_key(stack):
    keys = [make(stack)["key"], ask(stack, headers={"Idempotency-Key": "k1"})["key"]]
    again = ask(stack, headers={"Idempotency-Key": "k1"})
    assert again["key"] is None and again["id"] == FORM.fullmatch(keys[1]).group(1)
    turned = stack.api("POST", f"/keys/{again['id']}/rotate", headers={"Idempotency-Key": "k2"})["key"]
    for key in (*keys, turned):
        id = FORM.fullmatch(key).group(1)
        assert works(stack, key)
        wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
        assert wrong[41:] not in send(stack, X_API_Key=wrong).raw.decode()
        digest = hashlib.sha256(key.encode()).hexdigest()
        assert stack.sql(f"SELECT count(*) FROM key_secret WHERE key_id = '{id}' AND encode(digest, 'hex') = '{digest}'") == "1"
    dump = subprocess.run(["pg_dump", "--data-only", "--inserts", stack.env["DATABASE_URL"]], check=True,
                          capture_output=True, text=True).stdout
    log = "".join(path.read_text() for path in (stack.dir / "log").iterdir() if path.is_file())
    for key in (*keys, turned):
        secret = key[41:]
        for place in (dump, log, json.dumps(stack.chain("system")), stack.api("GET", "/keys?limit=200").raw.decode()):
            assert secret not in place and secret.encode().hex() not in place


def test_two_secrets_while_they_are_exchanged(stack):
    made = make(stack)
    id, first = made["id"], made["key"]
    second = stack.api("POST", f"/keys/{id}/rotate", {"overlap_s": 3600})
    assert second.status == 201 and FORM.fullmatch(second["key"]).group(1) == id
    assert works(stack, first) and works(stack, second["key"])
    refused(stack.api("POST", f"/keys/{id}/rotate"), 409, "wrong-state")
    assert stack.api("DELETE", f"/keys/{id}/secrets/1").status == 204
    assert not works(stack, first) and works(stack, second["key"])
    third = stack.api("POST", f"/keys/{id}/rotate", {"overlap_s": 0})
    assert not works(stack, second["key"]) and works(stack, third["key"])


def test_a_key_expires(stack):
    refused(ask(stack, expires_at="2020-01-01T00:00:00Z"), 400, "invalid-body", "/expires_at")
    key = make(stack, expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4)))["key"]
    until(lambda: not works(stack, key), 10)


# ---- who may be given what ----

@pytest.mark.parametrize("kind, roles, apps, environment, fields", [
    ("bot", ["ci"], ["*"], None, ["/principal/roles/0"]),
    ("ci", ["ci", "operator"], ["*"], None, ["/principal/roles/1"]),
    ("user", ["approver:qa"], ["*"], None, ["/principal/roles/0"]),
    ("bot", ["nonsense"], ["*"], None, ["/principal/roles/0"]),
    ("bot", ["viewer"], ["A"], None, ["/principal/apps/0"]),
    ("bot", ["viewer"], ["a"], "production", ["/principal/environment"]),
    ("service", ["viewer"], ["a"], "Production", ["/principal/environment"]),
    ("service", ["flags:client"], ["a"], None, ["/principal/environment"]),
    ("service", ["flags:client"], ["a", "b"], "production", ["/principal/apps"]),
    ("service", ["flags:client"], ["*"], "production", ["/principal/apps"]),
    ("service", ["flags:client", "viewer"], ["a"], "production", ["/principal/roles"]),
    ("user", ["flags:client"], ["a"], "production", ["/principal/kind"]),
    ("ci", ["flags:client", "ci"], ["*"], None,
     ["/principal/kind", "/principal/roles", "/principal/apps", "/principal/environment"]),
])
def test_kinds_and_roles_are_separate(stack, kind, roles, apps, environment, fields):
    before = heads(stack)
    answer = refused(ask(stack, kind, roles, apps, environment), 400, "invalid-body")
    assert set(fields) <= {error["field"] for error in answer["errors"]}, answer
    assert heads(stack) == before


def test_signing_keys_have_no_environment(stack):
    for roles, field in ((["viewer"], "/principal/environment"), (["flags:client"], "/kind")):
        refused(stack.api("POST", "/keys", {"name": "x", "kind": "signature", "principal": {
            "kind": "service", "roles": roles, "apps": ["a"], "environment": "production"}}), 400, "invalid-body", field)


def test_nobody_gives_more_than_they_have(stack):
    admin, here = stack.mint("a", ("admin",)), stack.mint("h", ("admin",), ("here",))
    assert "ci" in refused(ask(stack, "ci", ["ci"], token=admin), 403, "forbidden")["detail"]
    assert ask(stack, "ci", ["ci"], token=stack.mint("a", ("admin", "ci"), kind="user")).status == 201
    refused(ask(stack, apps=["here", "there"], token=here), 403, "forbidden")
    refused(ask(stack, token=here), 403, "forbidden")
    assert of_flags(stack, "here", token=here)["principal"]["environment"] == "production"
    refused(ask(stack, "service", ["flags:client"], ["there"], "production", token=here), 403, "forbidden")
    other = make(stack, apps=["there"])
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("DELETE", "/secrets/1")):
        refused(stack.api(method, f"/keys/{other['id']}{path}", token=here), 403, "forbidden")
    for role in ("operator", "releaser", "viewer"):
        refused(ask(stack, token=stack.mint("o", (role,))), 403, "forbidden")


def test_keys_give_no_keys_out_but_those_of_people(stack):
    bot = make(stack, roles=["admin"])["key"]
    refused(ask(stack, token=bot), 403, "forbidden")
    person = make(stack, kind="user", roles=["admin"])["key"]
    given = ask(stack, token=person)
    assert given.status == 201 and given["created_by"]["issuer"] == "sluice-key"
    refused(stack.api("POST", "/apps/a/environments/b/break-glass", {"reason": "x" * 10, "duration_s": 60}, token=person), 403, "forbidden")


# ---- keys of one environment ----

def test_a_key_of_one_environment_evaluates_flags_and_nothing_else(stack, environment):
    key = of_flags(stack, environment)
    me = send(stack, X_API_Key=key["key"])
    assert (me["kind"], me["roles"], me["scopes"], me["apps"], me["environment"]) == (
        "service", ["flags:client"], ["flag:evaluate"], [environment], "production")
    assert stack.api("GET", f"/keys/{key['id']}")["principal"] == {
        "kind": "service", "roles": ["flags:client"], "apps": [environment], "environment": "production"}
    decision = {"decision": "approve", "note": "x"}
    bodies = {"createSignoff": {"environment": "production", "role": "qa", **decision}, "createAcceptance": {"role": "final", **decision}}
    before, asked = heads(stack), 0
    for route in ROUTES:
        if route["scope"] in ("public", "flag:evaluate") or route["operation"] == "getMe":
            continue
        path = re.sub(r"\{(\w+)\}", lambda value: {"app": environment, "env": "production", "slot": "1", "version": "v1.0.0"}.get(
            value.group(1), "01990000-0000-7000-8000-000000000000"), route["path"])
        body = bodies.get(route["operation"], b"{}" if route["body"] else None)
        kind = "application/yaml" if route["operation"] == "putManifests" else "application/json"
        answer = call(route["method"], stack.urls[0] + path, body, headers={"X-API-Key": key["key"], "Content-Type": kind})
        of_decisions = "Acceptance" in route["operation"] or "Signoff" in route["operation"]
        assert answer.status in ((403, 404) if of_decisions else (403,)), (route["operation"], answer)
        asked += 1
    assert asked > 60 and heads(stack) == before


# ---- several servers, restarts ----

def test_keys_reach_other_servers_and_say_when_they_were_used():
    with Stack(replicas=2) as stack:
        used, unused = make(stack), make(stack)
        until(lambda: works(stack, used["key"], 1), 10, what="the other server knows the key")
        assert stack.api("GET", f"/keys/{used['id']}")["last_used_at"] is None, "no request writes it"
        stack.stop_servers()
        stack.up()
        last = stack.api("GET", f"/keys/{used['id']}")["last_used_at"]
        assert used["created_at"] < last < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        assert stack.api("GET", f"/keys/{unused['id']}")["last_used_at"] is None
        assert until(lambda: works(stack, used["key"], 0) and works(stack, used["key"], 1))
        assert stack.api("DELETE", f"/keys/{used['id']}").status == 204 and not works(stack, used["key"], 0)
        until(lambda: not works(stack, used["key"], 1), 10, what="the other server refuses the key")


# ---- the command line ----

def test_the_command_line(stack, app):
    made = stack.cli("keys", "create", "by hand", "--api", "--kind", "bot", "--role", "releaser", "--app", app, "--expires-in", "1h")
    assert made.returncode == 0, made.stderr
    key, id = made.stdout.strip(), made.stderr.split()[1].rstrip(";")
    assert FORM.fullmatch(key).group(1) == id and key not in made.stderr
    released = stack.cli("release", "create", app, "v1.0.0", "--image", IMAGE, token=key)
    assert released.returncode == 0, released.stderr
    web = json.loads(stack.cli("keys", "create", "web", "--api", "--role", "flags:client", "--app", app, "--environment",
                               "production", "--json").stdout)
    assert web["kind"] == "api" and web["principal"]["environment"] == "production"
    assert send(stack, X_API_Key=web["key"])["environment"] == "production"
    listed = stack.cli("keys", "list")
    assert id in listed.stdout and "LAST USED" in listed.stdout and key[41:] not in listed.stdout
    assert stack.cli("keys", "create", "x", "--role", "viewer", "--app", app, "--environment", "production").returncode == 3
    assert stack.cli("keys", "revoke", id).returncode == 0
    assert stack.cli("release", "list", app, token=key).returncode == 3
