#!/usr/bin/python3
"""scripts/bench auth: bearer tokens that one core verifies in a second, for each algorithm: cold (seen for the first time) and
cached (seen before).  The tokens are GitHub's in shape.  Prints a table and a line of JSON; exits 1 when cached tokens of an
algorithm miss the goal."""

import json
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALGORITHMS, TOKENS, RUNS, GOAL = ("HS256", "RS256", "ES256"), 8000, 5, 50_000


def claims(algorithm, n):
    now = int(time.time())
    return {"iss": algorithm, "aud": "https://sluice.example.com", "sub": "repo:octo-org/inopnc:environment:production",
            "exp": now + 3600, "iat": now, "nbf": now, "jti": f"{n:032x}", "environment": "production",
            "ref": "refs/heads/main", "repository": "octo-org/inopnc", "repository_id": "123456789",
            "repository_owner_id": "9919", "run_id": "9876543210", "run_attempt": "1", "actor_id": "583231",
            "event_name": "push", "workflow_sha": "1f2d3c4b5a69788796a5b4c3d2e1f00112233445",
            "job_workflow_ref": "octo-org/inopnc/.github/workflows/deploy.yml@refs/heads/main",
            "runner_environment": "github-hosted"}


def prepared(folder):
    """The issuers' file with one issuer of each algorithm, and what signs for each."""
    rsa_key, ec_key = rsa.generate_private_key(public_exponent=65537, key_size=2048), ec.generate_private_key(ec.SECP256R1())
    signers = {"HS256": secrets.token_hex(32), "RS256": rsa_key, "ES256": ec_key}
    (folder / "HS256").write_text(signers["HS256"])
    for name in ("RS256", "ES256"):
        (folder / name).write_bytes(signers[name].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    rules = json.loads((ROOT / "docs/examples/issuers/github-actions.json").read_text())["issuers"][0]["rules"]
    issuers = [{"issuer": name, "audience": "https://sluice.example.com", "algorithm": name, "rules": rules,
                "key": {"secret_file" if name == "HS256" else "pem_file": name}} for name in ALGORITHMS]
    (folder / "issuers.json").write_text(json.dumps({"issuers": issuers}))
    return signers


def main():
    figures = {}
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
        folder = pathlib.Path(name)
        signers = prepared(folder)
        for algorithm in ALGORITHMS:
            tokens = "\n".join(jwt.encode(claims(algorithm, n), signers[algorithm], algorithm) for n in range(TOKENS))
            runs = [json.loads(subprocess.run([ROOT / "build/bin/sluice-auth", folder / "issuers.json"], input=tokens,
                                              capture_output=True, check=True, text=True).stdout) for _ in range(RUNS)]
            figures[algorithm] = {kind: sorted(run[kind] for run in runs)[RUNS // 2] for kind in ("cold", "cached")}
    print(f"| algorithm | cold, a second | cached, a second (goal {GOAL:,}) |\n|---|---|---|")
    for algorithm, figure in figures.items():
        print(f"| {algorithm} | {figure['cold']:,} | {figure['cached']:,} |")
    print(json.dumps(figures))
    return any(figure["cached"] < GOAL for figure in figures.values())


if __name__ == "__main__":
    sys.exit(main())
