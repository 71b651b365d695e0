#!/usr/bin/python3
"""Sends a signed request to Sluice: sign.py METHOD PATH [BODY [IDEMPOTENCY-KEY]]

SLUICE_URL says where to; SIGNING_KEYID and SIGNING_KEY who signs (the id and key of POST /api/v1/keys, or builtin and
API_SIGNATURE_SECRET).  docs/identity.md has the form.
"""
import base64
import hashlib
import hmac
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def sign(method, url, keyid, key, body=b"", idempotency_key=None):
    """The headers that sign this request."""
    at = urllib.parse.urlsplit(url)
    default = {"http": 80, "https": 443}[at.scheme]
    host = at.hostname if ":" not in at.hostname else f"[{at.hostname}]"
    covered = [("@method", method),
               ("@authority", host if at.port in (None, default) else f"{host}:{at.port}"),
               ("@path", at.path or "/"),
               ("@query", "?" + at.query)]
    headers = {}
    if method not in ("GET", "HEAD"):
        headers["Content-Digest"] = "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"
        covered.append(("content-digest", headers["Content-Digest"]))
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
            covered.append(("idempotency-key", idempotency_key))
    params = "({});created={};nonce=\"{}\";keyid=\"{}\";alg=\"hmac-sha256\"".format(
        " ".join(f'"{name}"' for name, _ in covered), int(time.time()), secrets.token_hex(16), keyid)
    base = "\n".join(f'"{name}": {value}' for name, value in [*covered, ("@signature-params", params)])
    mac = hmac.digest(key.encode(), base.encode(), "sha256")
    return {**headers, "Signature-Input": "sig1=" + params,
            "Signature": "sig1=:" + base64.b64encode(mac).decode() + ":"}


def main(method, path, body="", idempotency_key=None):
    url = os.environ["SLUICE_URL"] + path
    headers = sign(method, url, os.environ["SIGNING_KEYID"], os.environ["SIGNING_KEY"], body.encode(), idempotency_key)
    if body:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body.encode() or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as refusal:
        sys.exit(f"{refusal.code}: {refusal.read().decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
