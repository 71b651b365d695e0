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

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATE = ROOT / "build/tests/token_gate"
SECRET = "a secret of the built-in issuer, 32 bytes at least"
OTHER_SECRET = "another secret, which signs for somebody else entirely"
LEEWAY = 60

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


class Generator:
    """One seed, one list of (class, token)."""

    def __init__(self, seed, now):
        self.random, self.now = random.Random(seed), now
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

    # ---- each a class of tokens ----
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


def gate_says(tokens):
    lines = b"".join(base64.b64encode(line) + b"\n" for line in [SECRET.encode(), *tokens])
    out = subprocess.run([GATE], input=lines, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()
    assert len(out) == len(tokens)
    return [line.split(" ", 1) for line in out]


def pyjwt_accepts(token):
    token = token.lstrip(b" ")  # any number of spaces may stand between "Bearer" and the token
    try:
        jwt.decode(token, SECRET, algorithms=["HS256"], audience="sluice", issuer="sluice", leeway=LEEWAY,
                   options={"require": ["exp", "aud", "iss"]})
        return True
    except jwt.InvalidTokenError:
        return False
    except (ValueError, TypeError, OverflowError, AttributeError, RecursionError):
        return False  # it fell over: no acceptance


def test_what_we_accept_pyjwt_accepts():
    if not GATE.exists():
        pytest.fail("build/tests/token_gate is not built: ./scripts/build release")
    seed = os.environ.get("DIFFERENTIAL_SEED", "1")
    seed = random.randrange(2 ** 32) if seed == "random" else int(seed)
    n = int(os.environ.get("DIFFERENTIAL_TOKENS", "10000"))
    made = Generator(seed, int(time.time())).make(n)
    ours = gate_says([token for _, token in made])
    counts, wrong = collections.defaultdict(collections.Counter), []
    for (name, token), (verdict, detail) in zip(made, ours):
        accepted, theirs = verdict == "accept", pyjwt_accepts(token)
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
    assert set(counts) == set(Generator(0, 0).classes)
    assert all(set(counts[name]) == {"both accept"} for name in ("valid", "valid_without_typ", "valid_with_kid", "within_leeway"))
    for name in ("expired", "not_yet", "alg_none", "other_alg", "other_secret", "noise", "spliced"):
        assert not counts[name]["both accept"], (seed, name, counts[name])
