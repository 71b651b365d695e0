"""API signatures from outside: what is taken, what is refused, keys and their life, the signers of docs/examples."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import uuid

import pytest

from tests.api.conftest import refused
from tests.support.stack import IMAGE, ROOT, Answer, Stack, together, until

SIGNERS = ROOT / "docs" / "examples" / "signing"
READS = ("@method", "@authority", "@path", "@query")


def digest_of(body, algorithm="sha-256"):
    name = {"sha-256": "sha256", "sha-512": "sha512"}[algorithm]
    return f"{algorithm}=:{base64.b64encode(hashlib.new(name, body).digest()).decode()}:"


class Signed:
    """A request as it is signed; anything in it may be changed before it is sent."""

    def __init__(self, stack, method, target, body=b"", key=None, once=None, replica=0, **params):
        at = urllib.parse.urlsplit(stack.urls[replica])
        self.where, self.method, self.target, self.body = (at.hostname, at.port), method, "/api/v1" + target, body
        self.keyid, self.key = key or ("builtin", stack.env["API_SIGNATURE_SECRET"])
        self.headers = {"Host": at.netloc}
        if body:
            self.headers["Content-Type"] = "application/json"
        self.names, self.label = list(READS), "sig1"
        if method not in ("GET", "HEAD"):
            self.headers["Content-Digest"] = digest_of(body)
            self.names.append("content-digest")
            if once:
                self.headers["Idempotency-Key"] = once
                self.names.append("idempotency-key")
        self.params = {"created": int(time.time()), "nonce": f'"{uuid.uuid4()}"', "keyid": f'"{self.keyid}"',
                       "alg": '"hmac-sha256"', **params}

    def text(self):
        return "({});{}".format(" ".join(f'"{name}"' for name in self.names),
                                ";".join(f"{name}={value}" for name, value in self.params.items()))

    def sign(self, text=None):
        text = text or self.text()
        path, _, query = self.target.partition("?")
        values = {"@method": self.method, "@authority": self.headers["Host"].lower(), "@path": path, "@query": "?" + query,
                  **{name.lower(): value for name, value in self.headers.items()}}
        lines = [f'"{name}": {values.get(name, "")}' for name in self.names] + [f'"@signature-params": {text}']
        mac = hmac.digest(self.key.encode(), "\n".join(lines).encode(), "sha256")
        self.headers["Signature-Input"] = f"{self.label}={text}"
        self.headers["Signature"] = f"{self.label}=:{base64.b64encode(mac).decode()}:"
        return self

    def send(self):
        connection = http.client.HTTPConnection(*self.where, timeout=30)
        try:
            connection.request(self.method, self.target, self.body or None, self.headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


def release(stack, app, version=None, **more):
    """A write by a key that may do it."""
    body = json.dumps({"version": version or "v1.0.0", "image": IMAGE}).encode()
    return Signed(stack, "POST", f"/apps/{app}/releases", body, **more)


def make_key(stack, kind="bot", roles=("releaser",), apps=("*",), token=None, **more):
    answer = stack.api("POST", "/keys", {"name": "a key", "kind": "signature", **more,
                                         "principal": {"kind": kind, "roles": list(roles), "apps": list(apps)}}, token=token)
    assert answer.status == 201, answer
    return answer


def credentials(answer):
    return answer["id"], answer["key"]


# ---- what is taken ----

def test_reads_and_writes(stack, app):
    me = Signed(stack, "GET", "/me").sign().send()
    assert (me.status, me["kind"], me["subject"], me["issuer"], me["roles"], me["apps"]) == (
        200, "ci", "builtin", "sluice-key", ["ci"], ["*"])
    assert Signed(stack, "HEAD", "/me").sign().send().status == 200
    assert Signed(stack, "GET", f"/apps/{app}/releases?limit=3&cursor=").sign().send().status in (200, 400)
    made = release(stack, app, once="a key").sign().send()
    assert made.status == 201, made
    again = release(stack, app, once="a key").sign().send()  # another nonce, the same key: the answer from before
    assert (again.status, again.raw) == (201, made.raw) and again.headers["Idempotency-Replayed"] == "true"
    actor = stack.chain(app)[-1]["actor"]
    assert actor == {"kind": "ci", "subject": "builtin", "issuer": "sluice-key"}


def test_the_query_is_what_was_sent(stack):
    for target in ("/apps?limit=1", "/apps?", "/apps?limit=%31", "/releases"):
        answer = Signed(stack, "GET", target).sign().send()
        assert answer.status in (200, 404), (target, answer)
    shuffled = Signed(stack, "GET", "/records?limit=1&app=x").sign()
    shuffled.target = "/api/v1/records?app=x&limit=1"
    refused(shuffled.send(), 401, "unauthenticated")


def test_a_write_without_a_body_has_a_digest_too(stack, app):
    key = credentials(make_key(stack, "service", ["admin"]))
    assert Signed(stack, "DELETE", f"/apps/{app}", key=key).sign().send().status == 204


def test_the_body_may_come_in_pieces(stack, app):
    request = release(stack, app).sign()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(request.where, 10) as s:
        s.sendall(f"POST {request.target} HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode())
        for byte in request.body:
            s.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 201"), answer


def test_behind_a_public_url_and_with_rates():
    with Stack(env={"SLUICE_PUBLIC_URL": "https://Sluice.Example:443/x", "SLUICE_RATE_PRINCIPAL": "1,20",
                    "SLUICE_RATE_NETWORK": "1,60"}) as stack:
        request = Signed(stack, "GET", "/me")
        refused(request.sign().send(), 401, "unauthenticated")
        request.headers["Host"] = "sluice.example"
        assert request.sign().send().status == 200
        request.headers["Host"] = "127.0.0.1"  # what a proxy makes of it does not matter
        assert request.send().status == 200
        # whoever only knows a key's name cannot spend its rate, but the rate of the network that they come from
        forged = Signed(stack, "POST", "/deployments", b"{}")
        forged.key = "x" * 64
        assert {forged.sign().send().status for _ in range(40)} == {401}
        assert request.send().status == 200
        assert any(forged.sign().send().status == 429 for _ in range(400))


# ---- what is refused ----

def changed(**changes):
    def change(request):
        request.params.update(changes)
        request.sign()
    return change


def without(name):
    def change(request):
        del request.params[name]
        request.sign()
    return change


def names(*all_of_them):
    def change(request):
        request.names = list(all_of_them)
        request.sign()
    return change


def after(header=None, value=None, **fields):
    """Signed, and changed afterwards."""
    def change(request):
        request.sign()
        if header:
            request.headers[header] = value
        vars(request).update(fields)
    return change


def text(change_text):
    def change(request):
        request.sign(change_text(request.text()))
    return change


def other_label(request):
    request.label = "sig2"
    request.sign()


def both_credentials(request):
    request.sign()
    request.headers["Authorization"] = "Bearer x"


WRITES = (*READS, "content-digest")
BODY = json.dumps({"version": "v1.0.0", "image": IMAGE}).encode()
REFUSED = {
    "another order": names("@authority", "@method", *WRITES[2:]),
    "one component more": names(*WRITES, "content-type"),
    "one component missing": names(*READS),
    "a component twice": names(*WRITES, "content-digest"),
    "an idempotency key that is not sent": names(*WRITES, "idempotency-key"),
    "an idempotency key that is not signed": after("Idempotency-Key", "k"),
    "a parameter twice": text(lambda t: t.replace(";nonce", ";created=1;nonce")),
    "another label": other_label,
    "another alg": changed(alg='"hmac-sha512"'),
    "alg none": changed(alg='"none"'),
    "no alg": without("alg"),
    "no created": without("created"),
    "no nonce": without("nonce"),
    "a nonce that is too long": changed(nonce='"' + "n" * 65 + '"'),
    "a nonce that is too short": changed(nonce='"n"'),
    "created as a string": changed(created='"1790000000"'),
    "created below zero": changed(created=-1),
    "created too early": lambda r: changed(created=int(time.time()) - 310)(r),
    "created too late": lambda r: changed(created=int(time.time()) + 310)(r),
    "an unknown key": changed(keyid=f'"{uuid.uuid4()}"'),
    "no key": changed(keyid='""'),
    "a keyid that is too long": changed(keyid='"' + "k" * 37 + '"'),
    "the text of a header that is too long": text(lambda t: t + " " * 600),
    "a digest of another algorithm": after("Content-Digest", digest_of(BODY, "sha-512")),
    "two digests": after("Content-Digest", digest_of(BODY) + ", " + digest_of(BODY, "sha-512")),
    "the digest of something else": after("Content-Digest", digest_of(b"x")),
    "no digest": after("Content-Digest", ""),
    "another body": after(body=BODY.replace(b"v1.0.0", b"v6.6.6")),
    "a longer body": after(body=BODY + b" "),
    "no body": after(body=b""),
    "another path": after(target="/api/v1/apps/other/releases"),
    "another spelling of the path": lambda r: after(target=r.target.replace("releases", "%72eleases"))(r),
    "a query": lambda r: after(target=r.target + "?a=b")(r),
    "another method": after(method="PUT"),
    "another authority": after("Host", "other.example"),
    "a cut MAC": lambda r: (r.sign(), r.headers.update(Signature=r.headers["Signature"][:-6] + ":"))[0],
    "an empty MAC": after("Signature", "sig1=::"),
    "no Signature": lambda r: r.sign().headers.pop("Signature"),
    "no Signature-Input": lambda r: r.sign().headers.pop("Signature-Input"),
    "Authorization too": both_credentials,
    "another secret": lambda r: (setattr(r, "key", "x" * 64), r.sign()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(stack, app, what):
    request = Signed(stack, "POST", f"/apps/{app}/releases", BODY)
    REFUSED[what](request)
    answer = request.send()
    if what == "another method":  # no such route: nobody asks who it is
        assert answer.status == 405
    else:
        refused(answer, 401, "unauthenticated")
        assert "WWW-Authenticate" in answer.headers
    assert stack.api("GET", f"/apps/{app}/releases")["items"] == []


def test_a_header_twice_is_no_request(stack):
    request = Signed(stack, "GET", "/me").sign()
    for twice in ("Signature", "Signature-Input"):
        lines = [*request.headers.items(), (twice, request.headers[twice])]
        with socket.create_connection(request.where, 10) as s:
            s.sendall(("GET /api/v1/me HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n").encode())
            assert s.recv(65536).startswith(b"HTTP/1.1 400")


# ---- replays ----

def test_a_write_acts_once_and_a_read_as_often_as_it_likes(stack, app):
    read = Signed(stack, "GET", "/me").sign()
    assert [read.send().status for _ in range(3)] == [200] * 3
    write = release(stack, app).sign()
    assert write.send().status == 201
    answer = refused(write.send(), 401, "unauthenticated")
    assert "before" in answer["detail"]
    bad = Signed(stack, "POST", f"/apps/{app}/releases", b'{"version": 1}').sign()
    assert [bad.send().status for _ in range(2)] == [400, 401]  # what was refused cannot be sent again either


def test_twenty_equal_writes_at_once_act_once(stack, app):
    before = len(stack.chain(app))
    write = release(stack, app).sign()
    statuses = sorted(answer.status for answer in together(20, lambda i: write.send()))
    assert statuses == [201] + [401] * 19
    assert len(stack.chain(app)) == before + 1


def test_a_replay_is_refused_while_the_first_still_runs(stack, app):
    """The first waits for a row that somebody else holds; the second is answered at once."""
    write = release(stack, app).sign()
    with subprocess.Popen(["psql", "-XAtq", stack.env["DATABASE_URL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as session:
        session.stdin.write(f"BEGIN; SELECT name FROM app WHERE name = '{app}' FOR UPDATE;\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == app
        answers = together(2, lambda i: write.send() if i == 0 else until_taken(stack, write, session))
        session.stdin.close()
    assert [answer.status for answer in answers] == [201, 401]


def until_taken(stack, write, session):
    nonce = write.params["nonce"].strip('"')
    until(lambda: stack.sql(f"SELECT count(*) FROM nonce WHERE nonce = '{nonce}'") == "1", what="the first took its nonce")
    answer = write.send()
    session.stdin.write("COMMIT;\n")
    session.stdin.flush()
    return answer


def test_nonces_are_dropped_by_partition_and_made_when_they_lack(stack, app):
    def partitions():
        return set(stack.sql("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'nonce'::regclass").split())
    hour = int(time.time()) // 3600
    now, old = f"nonce_{hour}", f"nonce_{hour - 9}"
    assert {now, f"nonce_{hour + 1}"} <= partitions()
    stack.sql(f"SET ROLE sluice_owner; CREATE TABLE {old} PARTITION OF nonce FOR VALUES FROM ({(hour - 9) * 3600}) TO ({(hour - 8) * 3600})")
    stack.sql(f"INSERT INTO nonce VALUES ('k', 'n', {(hour - 9) * 3600})")
    assert together(4, lambda i: stack.sql("SELECT nonce_partitions()")) == [""] * 4  # several servers at once
    assert old not in partitions() and now in partitions()
    stack.sql("".join(f"DROP TABLE {name};" for name in partitions()))  # as if every server had been away for a day
    assert release(stack, app).sign().send().status == 201
    assert partitions()


# ---- keys ----

def test_a_key_from_the_cradle_to_the_grave(stack, app):
    made = make_key(stack, apps=[app])
    id, secret = credentials(made)
    assert secret.startswith("sls_") and len(secret) == 47 and made.headers["Location"] == f"/api/v1/keys/{id}"
    shown = stack.api("GET", f"/keys/{id}")
    assert shown.json == {k: v for k, v in made.json.items() if k != "key"}
    assert any(key["id"] == id for key in pages(stack))
    key = (id, secret)
    me = Signed(stack, "GET", "/me", key=key).sign().send()
    assert (me["kind"], me["subject"], me["display_name"], me["roles"], me["apps"]) == (
        "bot", id, "a key", ["releaser"], [app])
    assert release(stack, app, key=key).sign().send().status == 201
    refused(release(stack, "other", key=key).sign().send(), 403, "forbidden")
    assert stack.api("DELETE", f"/keys/{id}").status == 204
    refused(Signed(stack, "GET", "/me", key=key).sign().send(), 401, "unauthenticated")
    refused(stack.api("GET", f"/keys/{id}"), 404, "not-found")
    refused(stack.api("DELETE", f"/keys/{id}"), 404, "not-found")
    records = [r for r in stack.chain("system") if r["subject"] == id]
    assert [r["action"] for r in records] == ["key.created", "key.revoked"]
    assert secret not in json.dumps(stack.chain("system"))


def pages(stack):
    items, cursor = [], ""
    while cursor is not None:
        page = stack.api("GET", f"/keys?limit=2{cursor and '&cursor=' + cursor}")
        assert page.status == 200, page
        items += page["items"]
        cursor = page["next_cursor"]
    return items


def test_no_secret_at_rest(stack):
    secret = make_key(stack)["key"]
    once = stack.api("POST", "/keys", {"name": "x", "kind": "signature",
                                       "principal": {"kind": "bot", "roles": ["viewer"], "apps": ["*"]}},
                     headers={"Idempotency-Key": "signature-k1"})
    again = stack.api("POST", "/keys", {"name": "x", "kind": "signature",
                                        "principal": {"kind": "bot", "roles": ["viewer"], "apps": ["*"]}},
                      headers={"Idempotency-Key": "signature-k1"})
    assert once["key"] and again["key"] is None and once["id"] == again["id"]
    dump = subprocess.run(["pg_dump", "--data-only", "--inserts", stack.env["DATABASE_URL"]], check=True,
                          capture_output=True, text=True).stdout
    for text_ in (secret, once["key"]):
        assert text_ not in dump and text_.encode().hex() not in dump
    log = "".join(path.read_text() for path in (stack.dir / "log").glob("sluiced-*.log"))
    assert secret not in log and once["key"] not in log


def test_two_secrets_while_they_are_exchanged(stack):
    made = make_key(stack)
    id, first = credentials(made)
    turned = stack.api("POST", f"/keys/{id}/rotate", {"overlap_s": 3600})
    assert turned.status == 201 and turned["id"] == id and [s["slot"] for s in turned["secrets"]] == [1, 2]
    assert turned["secrets"][0]["expires_at"] and turned["secrets"][1]["expires_at"] is None

    def works(secret):
        return Signed(stack, "GET", "/me", key=(id, secret)).sign().send().status == 200
    assert works(first) and works(turned["key"])
    third = refused(stack.api("POST", f"/keys/{id}/rotate"), 409, "wrong-state")
    assert f"/keys/{id}/secrets/1" in third["detail"]
    assert stack.api("DELETE", f"/keys/{id}/secrets/1").status == 204
    assert not works(first) and works(turned["key"])
    refused(stack.api("DELETE", f"/keys/{id}/secrets/2"), 409, "in-use")
    refused(stack.api("DELETE", f"/keys/{id}/secrets/7"), 404, "not-found")
    last = stack.api("POST", f"/keys/{id}/rotate", {"overlap_s": 0})
    assert [s["slot"] for s in last["secrets"]] == [3] and works(last["key"]) and not works(turned["key"])
    together_ = together(4, lambda i: stack.api("POST", f"/keys/{id}/rotate").status)
    assert sorted(together_) == [201, 409, 409, 409]
    assert [r["action"] for r in stack.chain("system") if r["subject"] == id] == [
        "key.created", "key.rotated", "key.secret_revoked", "key.rotated", "key.rotated"]


def test_a_key_expires(stack):
    refused(stack.api("POST", "/keys", {"name": "x", "kind": "signature", "expires_at": "2020-01-01T00:00:00Z",
                                        "principal": {"kind": "bot", "roles": ["viewer"], "apps": ["*"]}}),
            400, "invalid-body", "/expires_at")
    key = credentials(make_key(stack, expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))))
    until(lambda: Signed(stack, "GET", "/me", key=key).sign().send().status == 401, 10)


@pytest.mark.parametrize("kind, roles, field", [
    ("bot", ["ci"], "/principal/roles/0"), ("user", ["viewer", "ci"], "/principal/roles/1"),
    ("ci", ["admin"], "/principal/roles/0"), ("user", ["approver:qa"], "/principal/roles/0"),
    ("bot", ["nonsense"], "/principal/roles/0"), ("service", ["flags:client"], "/kind"),
])
def test_kinds_are_separate(stack, kind, roles, field):
    refused(stack.api("POST", "/keys", {"name": "x", "kind": "signature",
                                        "principal": {"kind": kind, "roles": roles, "apps": ["*"]}}),
            400, "invalid-body", field)


def test_nobody_gives_more_than_they_have(stack):
    def ask(token, kind="bot", roles=("viewer",), apps=("here",)):
        return stack.api("POST", "/keys", {"name": "x", "kind": "signature",
                                           "principal": {"kind": kind, "roles": list(roles), "apps": list(apps)}}, token=token)
    admin, here = stack.mint("a", ("admin",)), stack.mint("h", ("admin",), ("here",))
    assert ask(here, roles=["operator"]).status == 201
    assert "ci" in refused(ask(admin, "ci", ["ci"]), 403, "forbidden")["detail"]
    assert "there" in refused(ask(here, apps=["here", "there"]), 403, "forbidden")["detail"]
    assert "every app" in refused(ask(here, apps=["*"]), 403, "forbidden")["detail"]
    assert ask(stack.mint("a", ("admin", "ci"), kind="user"), "ci", ["ci"]).status == 201
    other = make_key(stack, apps=["there"])
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("DELETE", "/secrets/1")):
        refused(stack.api(method, f"/keys/{other['id']}{path}", token=here), 403, "forbidden")
    assert other["id"] not in stack.api("GET", "/keys?limit=200", token=here).raw.decode()
    refused(stack.api("GET", "/keys", token=stack.mint("o", ("operator",))), 403, "forbidden")


def test_the_command_line(stack, app):
    made = stack.cli("keys", "create", "by hand", "--kind", "bot", "--role", "viewer", "--role", "releaser", "--app", app,
                     "--expires-in", "1h")
    assert made.returncode == 0, made.stderr
    secret, id = made.stdout.strip(), made.stderr.split()[1].rstrip(";")
    assert Signed(stack, "GET", "/me", key=(id, secret)).sign().send()["roles"] == ["viewer", "releaser"]
    listed = stack.cli("keys", "list")
    assert id in listed.stdout and "by hand" in listed.stdout and secret not in listed.stdout
    assert any(key["id"] == id for key in json.loads(stack.cli("keys", "list", "--json").stdout))
    turned = json.loads(stack.cli("keys", "rotate", id, "--overlap", "1h", "--json").stdout)
    assert [s["slot"] for s in turned["secrets"]] == [1, 2]
    assert stack.cli("keys", "rotate", id).returncode == 3
    assert stack.cli("keys", "revoke", id, "--secret", "1").returncode == 0
    assert Signed(stack, "GET", "/me", key=(id, turned["key"])).sign().send().status == 200
    assert json.loads(stack.cli("keys", "show", id, "--json").stdout)["name"] == "by hand"
    assert stack.cli("keys", "revoke", id).stdout == f"key {id} deleted\n"
    assert stack.cli("keys", "revoke", id).returncode == 3
    assert stack.cli("keys", "create", "x").returncode == 2


# ---- key-encryption keys, and several servers ----

def rewrap(stack, keys):
    env = {**os.environ, "DATABASE_URL": stack.env["DATABASE_URL"], "SLUICE_KEY_ENCRYPTION_KEY": keys}
    return subprocess.run([stack.program("sluiced"), "keys", "rewrap"], capture_output=True, text=True, env=env)


def test_keys_reach_other_servers_and_survive_new_key_encryption_keys():
    old, new, wrong = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))
    with Stack(replicas=2) as stack:
        files = stack.dir / "key-encryption"

        def serve(keys):
            files.write_text(keys + "\n")
            stack.stop_servers()
            stack.up(SLUICE_KEY_ENCRYPTION_KEY_FILE=str(files))

        def works(replica=0):
            return Signed(stack, "GET", "/me", key=key, replica=replica).sign().send().status

        serve(old)
        key = credentials(make_key(stack))
        stack.sql("INSERT INTO key_secret SELECT key_id, n, kek, sealed FROM key_secret, generate_series(2, 250) n")
        until(lambda: works(1) == 200, 10, what="the other server knows the key")
        assert works(0) == 200
        serve(f"{new}\n{old}")
        assert until(lambda: works(0) == 200 and works(1) == 200)
        done = rewrap(stack, f"{new},{old}")
        assert done.returncode == 1 and "1 secret put under the first key" in done.stdout
        assert "249 secrets cannot be opened" in done.stderr  # copies: sealed for another place
        stack.sql("DELETE FROM key_secret WHERE slot > 1")
        done = rewrap(stack, f"{new},{old}")
        assert (done.returncode, done.stdout) == (0, "0 secrets put under the first key\n")
        serve(new)
        assert until(lambda: works(0) == 200 and works(1) == 200)
        serve(wrong)
        log = stack.dir / "log" / "sluiced-1.log"
        until(lambda: "keys-refused" in log.read_text(), what="a line about keys that do not open")
        assert works() == 401 and Signed(stack, "GET", "/me").sign().send().status == 200
        assert make_key(stack)["key"]
        assert rewrap(stack, wrong).returncode == 1
        assert rewrap(stack, "x").returncode == 1
        stack.stop_servers()
        stack.up(SLUICE_KEY_ENCRYPTION_KEY_FILE="")
        until(lambda: works() == 401)
        refusal = refused(stack.api("POST", "/keys", {"name": "x", "kind": "signature", "principal": {
            "kind": "bot", "roles": ["viewer"], "apps": ["*"]}}), 400, "not-supported")
        assert "SLUICE_KEY_ENCRYPTION_KEY" in refusal["detail"]
        refused(stack.api("POST", f"/keys/{key[0]}/rotate"), 400, "not-supported")
        assert stack.api("POST", "/keys", {"name": "x", "kind": "api", "principal": {  # which is not stored encrypted
            "kind": "bot", "roles": ["viewer"], "apps": ["*"]}})["key"]
        serve(new)
        until(lambda: works() == 200)
        assert stack.api("DELETE", f"/keys/{key[0]}").status == 204 and works(0) == 401
        until(lambda: works(1) == 401, 10, what="the other server refuses the key")


# ---- the examples ----

@pytest.mark.parametrize("words", [
    ["/usr/bin/python3", "sign.py"], ["node", "sign.mjs"], ["go", "sign.go"], ["bash", "sign.sh"],
], ids=["python", "node", "go", "shell"])
def test_signers(stack, app, tmp_path, words):
    program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/local/go/bin")
    if not program:
        pytest.skip(f"{words[0]} is not on this machine")
    for tool in ("openssl", "curl") if words[0] == "bash" else ():
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not on this machine")
    command = [program, *words[1:-1], SIGNERS / words[-1]]
    if words[0] == "go":
        command = [tmp_path / "sign"]
        subprocess.run([program, "build", "-o", command[0], SIGNERS / "sign.go"], check=True,
                       env={**os.environ, "CGO_ENABLED": "0"})
    id, secret = credentials(make_key(stack, apps=[app]))

    def run(*request, key=secret):
        env = {**os.environ, "SLUICE_URL": stack.urls[0], "SIGNING_KEYID": id, "SIGNING_KEY": key}
        return subprocess.run([*command, *request], capture_output=True, text=True, env=env)
    read = run("GET", f"/api/v1/apps/{app}/releases?limit=1")
    assert (read.returncode, json.loads(read.stdout or "null")) == (0, {"items": [], "next_cursor": None}), read.stderr
    body = json.dumps({"version": "v1.0.0", "image": IMAGE, "notes": "ünïcode $x"}, ensure_ascii=False)
    wrote = [run("POST", f"/api/v1/apps/{app}/releases", body, "once"), run("POST", f"/api/v1/apps/{app}/releases", body, "once")]
    assert [w.returncode for w in wrote] == [0, 0] and wrote[0].stdout == wrote[1].stdout, wrote
    assert len(stack.api("GET", f"/apps/{app}/releases")["items"]) == 1
    wrong = run("GET", f"/api/v1/apps/{app}/releases", key="x" * 32)
    assert wrong.returncode != 0 and "unauthenticated" in wrong.stdout + wrong.stderr
