"""Tokens of other issuers, as docs/examples/issuers says: GitHub Actions, GitLab CI, Supabase.  The files are used as they
are; only the key set's address and authority are replaced, by a server of this test's own."""

import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time
import uuid

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.api.conftest import refused
from tests.support.stack import IMAGE, ROOT, Stack, call, until

EXAMPLES = ROOT / "docs" / "examples" / "issuers"
AUDIENCE = "https://sluice.example.com"
SUPABASE = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"
REFUSED = "A rule for this issuer's tokens refuses this one."
UNMATCHED = "No rule for this issuer's tokens allows this one."


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def number(value, size=None):
    raw = value.to_bytes(size or (value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(kid, key):
    """As the issuers publish them: with members that nobody needs here."""
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": number(numbers.n), "e": number(numbers.e),
                "x5c": ["MIIB"], "x5t": "abc"}
    return {"kty": "EC", "alg": "ES256", "crv": "P-256", "key_ops": ["verify"], "ext": True, "kid": kid,
            "x": number(numbers.x, 32), "y": number(numbers.y, 32)}


class KeyServer:
    """An HTTPS server of key sets, with an authority of its own; `sets` maps paths to keys."""

    def __init__(self, folder):
        self.sets, self.asked = {}, []
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "key sets")])
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                       .serial_number(x509.random_serial_number())
                       .not_valid_before(now - datetime.timedelta(hours=1))
                       .not_valid_after(now + datetime.timedelta(days=1))
                       .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                       .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
                       .sign(key, hashes.SHA256()))
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, folder / "key.pem")
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", owner.url + "/.well-known/jwks")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = json.dumps({"keys": owner.sets.get(self.path, [])}).encode()
                self.send_response(200 if self.path in owner.sets else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class World:
    def __init__(self, stack, keys, server, folder):
        self.stack, self.keys, self.server, self.folder = stack, keys, server, folder

    def me(self, token):
        return self.stack.api("GET", "/me", token=token)

    def refuses(self, token, says=None):
        answer = refused(self.me(token), 401, "unauthenticated")
        assert says is None or answer["detail"] == says, answer
        assert token not in answer.raw.decode()


@pytest.fixture(scope="module")
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-issuers-"))
    keys = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("github", "gitlab", "next")}
    keys["supabase"] = ec.generate_private_key(ec.SECP256R1())
    keys["stranger"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    server = KeyServer(folder)
    server.sets = {"/.well-known/jwks": [jwk("github-1", keys["github"])],
                   "/oauth/discovery/keys": [jwk("gitlab-1", keys["gitlab"]), jwk("gitlab-2", keys["stranger"])],
                   "/auth/v1/.well-known/jwks.json": [jwk("supabase-1", keys["supabase"])]}
    issuers = []
    for path in sorted(EXAMPLES.glob("*.json")):
        for issuer in json.loads(path.read_text())["issuers"]:
            if "jwks_url" in issuer["key"]:
                tail = "/" + issuer["key"]["jwks_url"].split("/", 3)[3]
                issuer["key"] = {"jwks_url": server.url + tail, "ca_file": "ca.pem"}
            issuers.append(issuer)
    assert len(issuers) == 4
    (folder / "supabase-jwt-secret").write_text(SECRET + "\n")
    (folder / "issuers.json").write_text(json.dumps({"issuers": issuers}))
    with Stack(env={"SLUICE_ISSUERS_FILE": str(folder / "issuers.json")}) as stack:
        made = World(stack, keys, server, folder)
        for token in (github, gitlab, supabase):
            until(lambda token=token: made.me(token(made)).status == 200, what="the keys are fetched")
        yield made
    with contextlib.suppress(OSError):
        server.stop()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def times(lives=300):
    now = int(time.time())
    return {"iat": now, "nbf": now - 300, "exp": now + lives, "jti": str(uuid.uuid4())}


def github(world, key="github", kid="github-1", header=None, **changes):
    """The claims of GitHub's documents, for a job with an environment (the form of `sub` of older repositories)."""
    claims = {
        "iss": "https://token.actions.githubusercontent.com", "aud": AUDIENCE,
        "sub": "repo:octo-org/inopnc:environment:production", "environment": "production",
        "environment_node_id": "EN_kwDOJ", "ref": "refs/heads/main", "ref_protected": "true", "ref_type": "branch",
        "sha": "1f2d3c4b5a69788796a5b4c3d2e1f00112233445", "repository": "octo-org/inopnc", "repository_id": "123456789",
        "repository_owner": "octo-org", "repository_owner_id": "9919", "repository_visibility": "private",
        "run_id": "9876543210", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted",
        "actor": "octocat", "actor_id": "583231", "workflow": "deploy", "head_ref": "", "base_ref": "",
        "event_name": "push", "enterprise": "octo", "enterprise_id": "7", "check_run_id": "55",
        "workflow_ref": "octo-org/inopnc/.github/workflows/deploy.yml@refs/heads/main",
        "workflow_sha": "1f2d3c4b5a69788796a5b4c3d2e1f00112233445",
        "job_workflow_ref": "octo-org/inopnc/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_sha": "1f2d3c4b5a69788796a5b4c3d2e1f00112233445", **times(), **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, pem(world.keys[key]), "RS256",
                      headers={"typ": "JWT", "kid": kid, "x5t": "eBZ_cn3sXYAd0ch4THBKHIgOwOE", **(header or {})})


def gitlab(world, key="gitlab", kid="gitlab-1", **changes):
    claims = {
        "iss": "https://gitlab.com", "aud": AUDIENCE, "sub": "project_path:my-group/inopnc:ref_type:branch:ref:main",
        "namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/inopnc",
        "user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "user_access_level": "maintainer",
        "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}], "groups_direct": ["my-group", "my-group/a"],
        "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
        "ref_path": "refs/heads/main", "ref_protected": "true", "environment": "production", "environment_protected": "true",
        "deployment_tier": "production", "environment_action": "start", "runner_id": 1, "runner_environment": "gitlab-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "private",
        "ci_config_ref_uri": "gitlab.com/my-group/inopnc//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", **times(), **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, pem(world.keys[key]), "RS256",
                      headers={"typ": "JWT", "kid": kid})


def supabase(world, alg="ES256", key=None, sluice="releaser", **changes):
    now = int(time.time())
    claims = {
        "aal": "aal2", "amr": [{"method": "totp", "timestamp": now}, {"method": "password", "timestamp": now}],
        "app_metadata": {"provider": "email", "providers": ["email"], "sluice": sluice}, "aud": "authenticated",
        "email": "ann@example.com", "exp": now + 3600, "iat": now, "is_anonymous": False, "iss": SUPABASE, "phone": "",
        "role": "authenticated", "session_id": "4b938a09-5372-4177-a314-cfa292099ea2",
        "sub": "123e4567-e89b-12d3-a456-426614174000",
        "user_metadata": {"email": "ann@example.com", "email_verified": True, "sluice": "releaser"}, **changes}
    if alg == "HS256":
        return jwt.encode(claims, key or SECRET, alg, headers={"typ": "JWT", "kid": "Vh5oyWkGjQ3PZKRk"})
    return jwt.encode(claims, pem(key or world.keys["supabase"]), alg, headers={"typ": "JWT", "kid": "supabase-1"})


def test_github_actions(world):
    answer = world.me(github(world))
    assert (answer["kind"], answer["roles"], answer["apps"]) == ("ci", ["ci"], ["inopnc"])
    assert answer["issuer"] == "https://token.actions.githubusercontent.com"
    assert answer["subject"] == "repo:octo-org/inopnc:environment:production"
    # the form of repositories made after 15 July 2026: the same job, and never taken apart
    assert world.me(github(world, sub="repo:octo-org@9919/inopnc@123456789:environment:production")).status == 200
    assert world.me(github(world, event_name="workflow_dispatch", environment_node_id=None)).status == 200


def test_github_actions_denials(world):
    pull = {"event_name": "pull_request", "ref": "refs/pull/27/merge", "base_ref": "main", "head_ref": "patch-1"}
    world.refuses(github(world, sub="repo:octo-org/inopnc:pull_request", **pull), REFUSED)
    world.refuses(github(world, **{**pull, "event_name": "pull_request_target", "ref": "refs/heads/main"}), REFUSED)
    for changes in (
            {"repository_id": "987654321"}, {"repository_id": 123456789}, {"repository_id": None},
            # another owner's repository under the same name, as after a rename
            {"repository_owner_id": "1", "repository_id": "5"}, {"repository_owner_id": None},
            {"environment": "staging"}, {"environment": None}, {"environment": "Production"},
            {"ref": "refs/heads/main2"}, {"ref": "refs/tags/main"}, {"event_name": "workflow_run"}, {"event_name": None},
            {"roles": ["admin"], "apps": ["*"], "kind": "user", "repository_id": "1"}):
        world.refuses(github(world, **changes), UNMATCHED)
    # rights are the rules', whatever the token says
    assert world.me(github(world, roles=["admin"], scope="app:write", apps=["*"], kind="user"))["roles"] == ["ci"]
    for changes, says in (
            ({"aud": "https://github.com/octo-org"}, "The token is not meant for this server."),
            ({"aud": None}, "The token is not meant for this server."),
            ({"exp": int(time.time()) - 61}, "The token has expired."),
            ({"exp": str(int(time.time()) + 60)}, "The token's exp, nbf or iat is not an integer."),
            ({"nbf": int(time.time()) + 120}, "The token is not valid yet."),
            ({"iss": "https://token.actions.githubusercontent.com/octo"}, "The token's issuer is not accepted."),
            ({"iss": "sluice"}, "The token's algorithm is not the issuer's."),
            ({"key": "stranger"}, "The token's signature is not valid."),
            ({"key": "gitlab", "kid": "gitlab-1"}, "The token's key is not one of its issuer's, which are asked for again, at most once a minute."),
            ({"header": {"typ": "at+jwt"}}, "The token's type is not JWT."),
            ({"header": {"jku": world.server.url + "/evil"}}, "The token's header carries a parameter that is not accepted."),
            ({"header": {"crit": ["exp"]}}, "The token's header carries a parameter that is not accepted.")):
        world.refuses(github(world, **changes), says)
    assert "/evil" not in world.server.asked
    # HS256, MACed with the public key that everybody can read
    public = world.keys["github"].public_key().public_bytes(serialization.Encoding.PEM,
                                                            serialization.PublicFormat.SubjectPublicKeyInfo)
    header, claims, _ = github(world).split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(mac.sign(f"{header}.{claims}".encode(), public)).rstrip(b"=").decode()
    world.refuses(f"{header}.{claims}.{signature}", "The token's algorithm is not the issuer's.")


def test_gitlab_ci(world):
    answer = world.me(gitlab(world))
    assert (answer["kind"], answer["roles"], answer["apps"]) == ("ci", ["ci"], ["inopnc"])
    world.refuses(gitlab(world, pipeline_source="merge_request_event"), REFUSED)
    for changes in ({"project_id": "21"}, {"namespace_id": "73"}, {"environment": "staging"}, {"environment": None},
                    {"ref_protected": "false"}, {"ref_protected": True}, {"environment_protected": "false"}):
        world.refuses(gitlab(world, **changes), UNMATCHED)
    world.refuses(gitlab(world, aud="https://gitlab.com"), "The token is not meant for this server.")
    world.refuses(gitlab(world, exp=int(time.time()) - 61), "The token has expired.")
    world.refuses(gitlab(world, key="stranger"), "The token's signature is not valid.")


@pytest.mark.parametrize("alg", ["ES256", "HS256"])
def test_supabase(world, alg):
    answer = world.me(supabase(world, alg))
    assert (answer["kind"], answer["subject"]) == ("user", "123e4567-e89b-12d3-a456-426614174000")
    assert (answer["display_name"], answer["issuer"]) == ("ann@example.com", SUPABASE)
    assert answer["roles"] == ["releaser", "approver:engineering"]
    # without the second factor, and with fewer rights
    assert world.me(supabase(world, alg, aal="aal1"))["roles"] == ["viewer"]
    assert world.me(supabase(world, alg, sluice="viewer"))["roles"] == ["viewer"]
    # what people can write themselves (user_metadata) grants nothing
    world.refuses(supabase(world, alg, sluice=None), UNMATCHED)
    world.refuses(supabase(world, alg, app_metadata={}), UNMATCHED)
    world.refuses(supabase(world, alg, role="anon"), UNMATCHED)
    world.refuses(supabase(world, alg, role="service_role"), UNMATCHED)
    world.refuses(supabase(world, alg, is_anonymous=True), REFUSED)
    world.refuses(supabase(world, alg, aud="anon"), "The token is not meant for this server.")
    world.refuses(supabase(world, alg, exp=int(time.time()) - 61), "The token has expired.")
    other = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else SECRET + "x"
    world.refuses(supabase(world, alg, key=other), "The token's signature is not valid.")


def test_a_record_names_the_ci_run(world):
    assert world.stack.api("PUT", "/apps/inopnc", {"image": IMAGE}).status == 201
    token = github(world, jti="b1f8d0e2-0000-4000-8000-000000000001")
    release = {"version": "1.2.3", "image": f"{IMAGE}@sha256:{'a' * 64}"}
    answer = world.stack.api("POST", "/apps/inopnc/releases", release, token=token)
    assert answer.status == 201, answer
    assert answer["created_by"] == {"kind": "ci", "subject": "repo:octo-org/inopnc:environment:production",
                                    "issuer": "https://token.actions.githubusercontent.com"}
    lines = world.stack.api("GET", "/audit?chain=inopnc").raw.decode().splitlines()
    actor = [json.loads(line) for line in lines if '"release.created"' in line][0]["actor"]
    assert actor == {"kind": "ci", "subject": "repo:octo-org/inopnc:environment:production",
                     "issuer": "https://token.actions.githubusercontent.com",
                     "claims": {"run_id": "9876543210", "run_attempt": "2", "actor_id": "583231",
                                "workflow_sha": "1f2d3c4b5a69788796a5b4c3d2e1f00112233445",
                                "jti": "b1f8d0e2-0000-4000-8000-000000000001"}}
    # the rule says which app, and the role what may be done there
    refused(world.stack.api("POST", "/apps/other/releases", release, token=token), 403, "forbidden")
    refused(world.stack.api("PUT", "/apps/inopnc", {"image": IMAGE}, token=token), 403, "forbidden")


def check(world, **env):
    stack = world.stack
    run = subprocess.run([stack.program("sluiced"), "check"], capture_output=True, text=True, check=False,
                         env={"PATH": "/usr/bin:/bin", "DATABASE_URL": stack.env["DATABASE_URL"],
                              "JWT_SECRET": stack.env["JWT_SECRET"], **env})
    return run.returncode, run.stdout + run.stderr


def test_check_names_the_issuers(world):
    file = world.folder / "issuers.json"
    _, said = check(world, SLUICE_ISSUERS_FILE=str(file))
    for line in ("issuer https://token.actions.githubusercontent.com: ok: RS256, keys: 1", "issuer https://gitlab.com: ok: RS256, keys: 2",
                 f"issuer {SUPABASE}: ok: ES256, keys: 1", f"issuer {SUPABASE}: ok: HS256"):
        assert line in said.splitlines(), said
    assert SECRET not in said
    broken = json.loads(file.read_text())
    broken["issuers"][0]["rules"][1]["role"] = ["ci"]
    (world.folder / "broken.json").write_text(json.dumps(broken))
    code, said = check(world, SLUICE_ISSUERS_FILE=str(world.folder / "broken.json"))
    wanted = f"SLUICE_ISSUERS_FILE: {world.folder / 'broken.json'}: issuer 1 (https://token.actions.githubusercontent.com): " \
             "rules/1/role: there is no such field"
    assert code == 1 and wanted in said, said
    run = subprocess.run([world.stack.program("sluiced")], capture_output=True, text=True, check=False, timeout=20,
                         env={"PATH": "/usr/bin:/bin", "DATABASE_URL": world.stack.env["DATABASE_URL"],
                              "JWT_SECRET": world.stack.env["JWT_SECRET"], "PORT": "0", "SLUICE_LISTEN": "127.0.0.1",
                              "SLUICE_ISSUERS_FILE": str(world.folder / "broken.json")})
    assert (run.returncode, run.stderr.strip()) == (1, "sluiced: " + wanted)


def test_check_says_why_keys_cannot_be_had(world):
    """An authority that did not sign, no such page, a redirect, a body without end, nothing usable."""
    url, keys = world.server.url, world.keys
    world.server.sets.update({"/large": [jwk("a", keys["github"]), {"pad": "x" * (256 << 10)}], "/useless": [jwk("a", keys["supabase"])],
                              "/fine": [jwk("a", keys["github"]), {"pad": "x" * (240 << 10)}]})
    issuer = json.loads((EXAMPLES / "github-actions.json").read_text())["issuers"][0]
    wanted = {"/missing": f"failed: {url}/missing: answered with status 404", "/moved": f"failed: {url}/moved: answered with status 302",
              "/large": f"failed: {url}/large: ", "/useless": f"failed: {url}/useless: it holds no usable key for the issuer's algorithm",
              "/fine": "ok: RS256, keys: 1"}
    issuers = [{**issuer, "issuer": path, "key": {"jwks_url": url + path, "ca_file": "ca.pem"}} for path in wanted]
    issuers.append({**issuer, "issuer": "untrusted", "key": {"jwks_url": url + "/fine"}})
    (world.folder / "odd.json").write_text(json.dumps({"issuers": issuers}))
    code, said = check(world, SLUICE_ISSUERS_FILE=str(world.folder / "odd.json"))
    assert code == 1
    for path, line in wanted.items():
        assert f"\nissuer {path}: {line}" in said, said
    assert "\nissuer untrusted: failed: " in said, said


def test_rotated_keys_are_fetched_and_the_old_ones_serve_while_the_issuer_is_down(world):
    """The last test: it ends the server of keys."""
    gitlab_asked = world.server.asked.count("/oauth/discovery/keys")
    world.server.sets["/oauth/discovery/keys"] = [jwk("gitlab-1", world.keys["gitlab"]), jwk("gitlab-3", world.keys["next"])]
    rotated = gitlab(world, key="next", kid="gitlab-3")
    world.refuses(rotated, "The token's key is not one of its issuer's, which are asked for again, at most once a minute.")
    until(lambda: world.me(rotated).status == 200, what="the new key is fetched")
    for n in range(20):
        world.refuses(gitlab(world, kid=f"unknown-{n}"))
    assert world.server.asked.count("/oauth/discovery/keys") == gitlab_asked + 1
    world.server.stop()
    assert world.me(gitlab(world, key="next", kid="gitlab-3")).status == 200
    assert world.me(gitlab(world)).status == 200
    assert world.me(github(world)).status == 200
    assert world.me(supabase(world)).status == 200
    world.refuses(gitlab(world, key="stranger", kid="gitlab-1"), "The token's signature is not valid.")


def test_keys_that_were_never_there_are_said_to_be_away(world):
    """A server of its own, of an issuer that does not answer: 503, come back."""
    issuer = json.loads((EXAMPLES / "github-actions.json").read_text())["issuers"][0]
    issuer["key"] = {"jwks_url": "https://127.0.0.1:1/keys"}
    (world.folder / "away.json").write_text(json.dumps({"issuers": [issuer]}))
    with started(world, world.folder / "away.json") as url:
        answer = call("GET", url + "/api/v1/me", token=github(world))
        refused(answer, 503, "issuer-unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert call("GET", url + "/api/v1/me", token=world.stack.token).status == 200
        refused(call("GET", url + "/api/v1/me", token=github(world, aud="other")), 401, "unauthenticated")


@contextlib.contextmanager
def started(world, file):
    env = {"PATH": "/usr/bin:/bin", "DATABASE_URL": world.stack.env["DATABASE_URL"], "JWT_SECRET": world.stack.env["JWT_SECRET"],
           "PORT": "0", "SLUICE_LISTEN": "127.0.0.1", "SLUICE_WORKER_THREADS": "0", "SLUICE_LOG_FORMAT": "json",
           "SLUICE_ISSUERS_FILE": str(file)}
    with subprocess.Popen([world.stack.program("sluiced")], stderr=subprocess.PIPE, text=True, env=env) as server:
        try:
            for line in server.stderr:
                event = json.loads(line)
                if event["event"] == "listening":
                    break
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield f"http://127.0.0.1:{event['port']}"
        finally:
            server.terminate()
            server.wait(20)
