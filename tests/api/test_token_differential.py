"""Our door for bearer tokens against PyJWT, on generated tokens: valid, mutated and hostile ones.

What we accept PyJWT accepts.  What PyJWT accepts and we refuse is stricter on purpose: each such refusal is one of the
reasons in STRICTER, or the test fails.  DIFFERENTIAL_TOKENS (10,000) and DIFFERENTIAL_SEED (printed; "random" is another
one each time) choose the tokens."""

import base64
import collections
import hashlib
import hmac
import json
import os
import pathlib
import random
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATE = ROOT / "build/tests/token_gate"
SECRET = "a secret of the built-in issuer, 32 bytes at least"
OTHER_SECRET = "another secret, which signs for somebody else entirely"
LEEWAY = 60
RSA, EC = "https://rsa.example", "https://ec.example"
POOL = 200  # signatures are dear: so many tokens of each public key are signed, and the rest made of them
P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551  # the order of the curve

# Our sentence → why we refuse what PyJWT accepts.
STRICTER = {
    "The token is longer than 8 KiB.": "libjwt copies tokens onto the stack",
    "The token's header is not valid.": "duplicate keys, depth over 8, base64 that is not strict",
    "The token's claims are not valid.": "duplicate keys, depth over 8, base64 that is not strict",
    "The token's signature is not valid.": "its base64 has padding or other bytes in between: one signature, one text",
    "The token's type is not JWT.": "typ is JWT or absent",
    "The token's key id is not valid.": "kid is at most 64 printable characters",
    "The token's header carries a parameter that is not accepted.": "crit, jku, jwk, x5u, x5c, zip, b64",
    "The token's exp, nbf or iat is not an integer.": "PyJWT takes what int() takes: text, floats, booleans",
    "The token was issued in the future.": "PyJWT 2.6 checks it too, where it is an integer",
    "The token's subject is not valid.": "sub is text of 1 to 255 bytes without control characters",
    "The token's jti is not a string.": "jti is text",
    "The token's roles are not an array.": "roles are ours",
    "The token names an unknown role.": "roles are ours",
    "The token's scope is not a string.": "scopes are ours",
    "The token's apps are not an array.": "apps are ours",
    "The token's apps are not names.": "apps are ours",
    "The token's kind is unknown.": "kinds are ours",
    "The token is not meant for this server.": "an aud with something beside texts in it",
}


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def sign(signing_input, secret=SECRET, digest=hashlib.sha256):
    return hmac.new(secret.encode(), signing_input, digest).digest()


def text(value):
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def token_of(header, claims, secret=SECRET, digest=hashlib.sha256):
    """A token over these, as objects or as bytes of JSON; properly signed."""
    signing_input = b64(text(header)) + b"." + b64(text(claims))
    return signing_input + b"." + b64(sign(signing_input, secret, digest))


class Keys:
    """Key pairs of two issuers beside the built-in one; every run has others."""

    def __init__(self):
        self.rsa, self.ec = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        self.pem = {name: key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
                    for name, key in ((RSA, self.rsa), (EC, self.ec))}
        # as our issuers are configured: issuer → algorithm and key
        self.of = {"sluice": ("HS256", SECRET), RSA: ("RS256", self.rsa.public_key()), EC: ("ES256", self.ec.public_key())}

    def issuers_file(self, folder):
        issuers = []
        for number, issuer in enumerate((RSA, EC)):
            (folder / f"{number}.pem").write_bytes(self.pem[issuer])
            issuers.append({"issuer": issuer, "audience": "sluice", "algorithm": self.of[issuer][0], "key": {"pem_file": f"{number}.pem"},
                            "rules": [{"match": {"team": "release"}, "kind": "service", "roles": ["viewer"], "apps": ["*"]}]})
        path = folder / "issuers.json"
        path.write_text(json.dumps({"issuers": issuers}))
        return path

    def raw_rs(self, signing_input):
        return self.rsa.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())

    def der_es(self, signing_input):
        return self.ec.sign(signing_input, ec.ECDSA(hashes.SHA256()))

    def raw_es(self, signing_input):
        return b"".join(number.to_bytes(32, "big") for number in utils.decode_dss_signature(self.der_es(signing_input)))


class Generator:
    """One seed, one list of (class, token)."""

    def __init__(self, seed, now, keys):
        self.random, self.now, self.keys = random.Random(seed), now, keys
        self.rs = [self.public("RS256", RSA, keys.raw_rs) for _ in range(POOL)]
        self.es = [self.public("ES256", EC, keys.raw_es) for _ in range(POOL)]
        self.classes = [name[2:] for name in sorted(dir(self)) if name.startswith("a_")]

    def make(self, n):
        pick = self.random.choices(self.classes, k=n)
        return [(name, getattr(self, "a_" + name)()) for name in pick]

    def header(self, **changes):
        return {"alg": "HS256", "typ": "JWT", **changes}

    def claims(self, **changes):
        one = self.random
        claims = {"iss": "sluice", "aud": one.choice(["sluice", ["sluice"], ["other", "sluice"]]),
                  "sub": one.choice(["ada", "repo:o/r:ref", "Zo\u00eb \u6f22", "x" * 200]),
                  "exp": self.now + one.randint(600, 10 ** 6), "roles": one.choice([["admin"], ["ci"], ["viewer", "approver:qa"]])}
        if one.random() < 0.5:
            claims["iat"] = self.now - one.randint(0, 10 ** 6)
        if one.random() < 0.5:
            claims["nbf"] = self.now - one.randint(0, 10 ** 6)
        if one.random() < 0.3:
            claims.update({"jti": str(one.random()), "apps": one.choice([["*"], ["web", "api"]]), "kind": "bot"})
        claims.update(changes)
        return {key: value for key, value in claims.items() if value is not Ellipsis}

    def public(self, alg, issuer, sign_with, **changes):
        """A token of an issuer with a key pair."""
        signing_input = b64(text(self.header(alg=alg))) + b"." + b64(text(self.claims(iss=issuer, team="release", **changes)))
        return signing_input + b"." + b64(sign_with(signing_input))

    def changed(self, token):
        """The same with a few bytes another way."""
        parts = token.split(b".")
        part = self.random.randrange(3)
        at = self.random.randrange(len(parts[part]))
        other = self.random.choice([b"=", b"!", b" ", b"A", b"_", b"", b"AA"])
        parts[part] = parts[part][:at] + other + parts[part][at + self.random.randrange(2):]
        return b".".join(parts)

    # ---- each a class of tokens ----
    def a_rs_valid(self):
        return self.random.choice(self.rs)

    def a_es_valid(self):
        return self.random.choice(self.es)

    def a_rs_changed(self):
        return self.changed(self.random.choice(self.rs))

    def a_es_changed(self):
        return self.changed(self.random.choice(self.es))

    def a_public_key_as_secret(self):
        """The classic: the public key, which everybody knows, as the secret of an HMAC."""
        issuer = self.random.choice([RSA, EC])
        pem = self.keys.pem[issuer]
        alg, digest = self.random.choice([("HS256", hashlib.sha256), ("HS512", hashlib.sha512)])
        secret = self.random.choice([pem, pem.strip(), pem.replace(b"\n", b"\r\n")]).decode()
        return token_of(self.header(alg=alg), self.claims(iss=issuer, team="release"), secret=secret, digest=digest)

    def a_issuers_swapped(self):
        """Signed by one issuer, said to be another's."""
        issuer, alg = self.random.choice([RSA, EC, "sluice"]), self.random.choice(["HS256", "RS256", "ES256"])
        signing_input = b64(text(self.header(alg=alg))) + b"." + b64(text(self.claims(iss=issuer, team="release")))
        signature = self.random.choice([token.split(b".")[2] for token in (self.rs[0], self.es[0])] + [b64(sign(signing_input))])
        if self.keys.of.get(issuer, ("",))[0] == alg == "HS256":
            signature = self.es[0].split(b".")[2]
        return signing_input + b"." + signature

    def a_es_forged(self):
        """Signatures that verify where zero, DER or a longer number are not refused."""
        signing_input, _, signature = self.random.choice(self.es).rpartition(b".")
        raw = base64.urlsafe_b64decode(signature + b"==")
        r, s = raw[:32], raw[32:]
        order = P256.to_bytes(32, "big")
        odd = self.random.choice([bytes(64), order * 2, order + s, r + order, bytes(32) + s, r + bytes(32), raw + b"\0", raw[:-1], b"\0" + raw,
                                  utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), raw[32:] + raw[:32]])
        return signing_input + b"." + b64(odd)

    def a_es_other_half(self):
        """(r, n - s) is a valid signature too: a token's text is no identity."""
        signing_input, _, signature = self.random.choice(self.es).rpartition(b".")
        raw = base64.urlsafe_b64decode(signature + b"==")
        return signing_input + b"." + b64(raw[:32] + (P256 - int.from_bytes(raw[32:], "big")).to_bytes(32, "big"))

    def a_rs_forged(self):
        """Signatures of another length, and numbers as large as the modulus."""
        signing_input, _, signature = self.random.choice(self.rs).rpartition(b".")
        raw = base64.urlsafe_b64decode(signature + b"==")
        modulus = self.keys.rsa.public_key().public_numbers().n
        large = int.from_bytes(raw, "big") + modulus
        odd = self.random.choice([bytes(256), raw[:-1], raw + b"\0", b"\0" + raw, bytes(255) + b"\1", b"\xff" * 256, large.to_bytes(257, "big"),
                                  raw[::-1]])
        return signing_input + b"." + b64(odd)

    def a_valid(self):
        return token_of(self.header(), self.claims())

    def a_valid_without_typ(self):
        return token_of({"alg": "HS256"}, self.claims())

    def a_valid_with_kid(self):
        return token_of(self.header(kid="k" * self.random.randint(1, 64)), self.claims())

    def a_within_leeway(self):
        return token_of(self.header(), self.claims(**self.random.choice([
            {"exp": self.now - 20}, {"nbf": self.now + 20}, {"iat": self.now + 20}])))

    def a_expired(self):
        return token_of(self.header(), self.claims(exp=self.now - LEEWAY - self.random.randint(40, 10 ** 9)))

    def a_not_yet(self):
        later = self.now + LEEWAY + self.random.randint(100, 10 ** 9)
        return token_of(self.header(), self.claims(**{self.random.choice(["nbf", "iat"]): later}))

    def a_missing_claim(self):
        return token_of(self.header(), self.claims(**{self.random.choice(["exp", "aud", "iss", "sub", "roles"]): Ellipsis}))

    def a_odd_time(self):
        odd = self.random.choice(["1900000000", 1900000000.5, 19e8, True, None, [], {}, "", "soon", -1, 0, 2 ** 62])
        return token_of(self.header(), self.claims(**{self.random.choice(["exp", "nbf", "iat"]): odd}))

    def a_odd_audience(self):
        return token_of(self.header(), self.claims(aud=self.random.choice(
            ["", "Sluice", "sluice ", [], ["other"], {}, None, 1, ["sluice", 1], [["sluice"]], "sluice,other"])))

    def a_odd_issuer(self):
        return token_of(self.header(), self.claims(iss=self.random.choice(["", "Sluice", "sluice/", ["sluice"], None, 1, "sluice\u0000x"])))

    def a_odd_subject(self):
        return token_of(self.header(), self.claims(sub=self.random.choice(["", "x" * 256, "a\nb", "a\u0000b", "a\u0085b", 7, None, ["ada"], {}])))

    def a_odd_rights(self):
        key, value = self.random.choice([
            ("roles", "admin"), ("roles", ["root"]), ("roles", [1]), ("scope", ["release:read"]), ("scope", "openid profile"),
            ("apps", "web"), ("apps", ["Not A Name"]), ("apps", [None]), ("kind", "root"), ("kind", 1), ("jti", 1)])
        return token_of(self.header(), self.claims(**{key: value}))

    def a_alg_none(self):
        signing_input = b64(text(self.header(alg=self.random.choice(["none", "None", "NONE", "nOnE", ""])))) + b"." + b64(text(self.claims()))
        return signing_input + b"." + self.random.choice([b"", b64(sign(signing_input)), b"e30"])

    def a_other_alg(self):
        alg, digest = self.random.choice([("HS512", hashlib.sha512), ("HS384", hashlib.sha384), ("hs256", hashlib.sha256),
                                          ("RS256", hashlib.sha256), ("ES256", hashlib.sha256), ("HS256 ", hashlib.sha256),
                                          (None, hashlib.sha256), (["HS256"], hashlib.sha256), (1, hashlib.sha256)])
        return token_of(self.header(alg=alg), self.claims(), digest=digest)

    def a_other_secret(self):
        return token_of(self.header(), self.claims(), secret=self.random.choice([OTHER_SECRET, "", "x", SECRET + "\n"]))

    def a_header_parameter(self):
        name, value = self.random.choice([
            ("crit", ["exp"]), ("crit", []), ("jku", "https://evil.example/jwks"), ("jwk", {"kty": "oct", "k": "AA"}),
            ("x5u", "https://evil.example/x"), ("x5c", ["AA"]), ("zip", "DEF"), ("b64", False), ("typ", "at+jwt"), ("typ", 1),
            ("typ", "jwt"), ("kid", ""), ("kid", "x" * 65), ("kid", 1), ("kid", "a\u0001b"), ("kid", "../../etc/passwd"),
            ("kid", "' OR 1=1 --"), ("cty", "JWT"), ("unknown", {"a": [1]})])
        return token_of(self.header(**{name: value}), self.claims())

    def a_duplicate_key(self):
        header, claims = text(self.header()), text(self.claims())
        if self.random.random() < 0.5:
            header = self.random.choice([b'{"alg":"none",', b'{"alg":"HS256",', b'{"typ":"x",']) + header[1:]
        else:
            claims = self.random.choice([b'{"exp":1,', b'{"sub":"eve",', b'{"aud":"other",', b'{"roles":["viewer"],']) + claims[1:]
        return token_of(header, claims)

    def a_not_json(self):
        odd = self.random.choice([b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"{}x", b"{'a':1}", b"{\"a\":NaN}", b"\xef\xbb\xbf{}",
                                  b"[" * 50, b'{"a":' * 9 + b"1" + b"}" * 9])
        return token_of(odd, self.claims()) if self.random.random() < 0.5 else token_of(self.header(), odd)

    def a_deep(self):
        depth = self.random.choice([7, 8, 9, 100, 500])
        value = json.loads("[" * depth + "]" * depth)
        return token_of(self.header(), self.claims(nested=value))

    def a_long(self):
        return token_of(self.header(), self.claims(padding="x" * self.random.choice([1000, 5500, 6500, 20000])))

    def a_flipped_bit(self):
        token = bytearray(token_of(self.header(), self.claims()))
        at = self.random.randrange(len(token))
        token[at] ^= 1 << self.random.randrange(7)
        return bytes(token).replace(b"\0", b"!")

    def a_malleable(self):
        header, claims, signature = token_of(self.header(), self.claims()).split(b".")
        part = self.random.randrange(3)
        parts = [header, claims, signature]
        at = self.random.randrange(len(parts[part]))
        insert = self.random.choice([b"=", b"==", b"!", b"\n", b" ", b"\xc3\xa9", b"%", b"+", b"/", b"-", b"_"])
        parts[part] = self.random.choice([parts[part] + insert, parts[part][:at] + insert + parts[part][at:]])
        return b".".join(parts)

    def a_last_bits(self):
        """Another text of the same signature: the bits that base64 leaves over."""
        token = token_of(self.header(), self.claims())
        alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet.index(token[-1])
        return token[:-1] + alphabet[last ^ self.random.randint(1, 3):][:1]

    def a_other_dots(self):
        header, claims, signature = token_of(self.header(), self.claims()).split(b".")
        return self.random.choice([header + b"." + claims, b".".join([header, claims, signature, b""]), b"..", b".", b"", b"." + claims + b".",
                                   b".".join([header, claims, signature, signature, signature]), header + claims + signature])

    def a_spliced(self):
        one, two = (token_of(self.header(), self.claims()).split(b".") for _ in range(2))
        return b".".join([one[0], two[1], one[2]])

    def a_noise(self):
        return bytes(self.random.choice(b"abcXYZ019-_.=+/ {}\"") for _ in range(self.random.randint(0, 200)))


def gate_says(tokens, issuers_file):
    lines = b"".join(base64.b64encode(line) + b"\n" for line in [SECRET.encode(), *tokens])
    out = subprocess.run([GATE, issuers_file], input=lines, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()
    assert len(out) == len(tokens)
    return [line.split(" ", 1) for line in out]


def pyjwt_accepts(token, issuers):
    """With the algorithm and key of the issuer that the token names, as it is configured."""
    token = token.lstrip(b" ")  # any number of spaces may stand between "Bearer" and the token
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        alg, key = issuers.get(issuer if isinstance(issuer, str) else "", issuers["sluice"])
        jwt.decode(token, key, algorithms=[alg], audience="sluice", issuer=issuer if issuer in issuers else "sluice", leeway=LEEWAY,
                   options={"require": ["exp", "aud", "iss"]})
        return True
    except jwt.InvalidTokenError:
        return False
    except (ValueError, TypeError, OverflowError, AttributeError, RecursionError):
        return False  # it fell over: no acceptance


def test_what_we_accept_pyjwt_accepts(tmp_path):
    if not GATE.exists():
        pytest.fail("build/tests/token_gate is not built: ./scripts/build release")
    seed = os.environ.get("DIFFERENTIAL_SEED", "1")
    seed = random.randrange(2 ** 32) if seed == "random" else int(seed)
    n = int(os.environ.get("DIFFERENTIAL_TOKENS", "10000"))
    keys = Keys()
    made = Generator(seed, int(time.time()), keys).make(n)
    ours = gate_says([token for _, token in made], keys.issuers_file(tmp_path))
    counts, wrong = collections.defaultdict(collections.Counter), []
    for (name, token), (verdict, detail) in zip(made, ours):
        accepted, theirs = verdict == "accept", pyjwt_accepts(token, keys.of)
        outcome = {(True, True): "both accept", (False, False): "both refuse", (False, True): "stricter",
                   (True, False): "LAXER"}[accepted, theirs]
        counts[name][outcome] += 1
        if outcome == "stricter":
            counts[name]["stricter: " + detail] += 1
        if outcome == "LAXER" or (outcome == "stricter" and detail not in STRICTER):
            wrong.append((name, outcome, detail, token[:600]))
    print(f"DIFFERENTIAL_SEED={seed} DIFFERENTIAL_TOKENS={n}")
    for name in sorted(counts):
        print(f"{name:20}", ", ".join(f"{outcome}: {count}" for outcome, count in sorted(counts[name].items())))
    assert not wrong, (seed, wrong[:5])
    assert {"a_" + name for name in counts} == {name for name in dir(Generator) if name.startswith("a_")}
    assert all(set(counts[name]) == {"both accept"} for name in ("valid", "valid_without_typ", "valid_with_kid", "within_leeway", "rs_valid", "es_valid"))
    for name in ("expired", "not_yet", "alg_none", "other_alg", "other_secret", "noise", "spliced", "public_key_as_secret", "issuers_swapped",
                 "es_forged", "rs_forged"):
        assert not counts[name]["both accept"], (seed, name, counts[name])
