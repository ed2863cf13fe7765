"""Tokens of an issuer: those that it made for us open what their roles say, no others anything."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from redis import Redis

from tests.support.front import ask, bearer, front, require_problem
from tests.support.issuer import AUDIENCE, Issuer, issuing, jwk, rsa_key
from wherry.errors import Misconfigured
from wherry.gateway.api_keys import ApiKeys
from wherry.http.security import key_sets
from wherry.http.security.access import Access, access_of
from wherry.settings import Settings
from wherry.wiring import Runtime


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def door(namespace: Runtime, issuer: Issuer) -> Iterator[str]:
    """A server that takes tokens of the issuer, which it finds by its discovery document."""
    with front(namespace, Access(issuer=issuer.url, audience=AUDIENCE)) as url:
        yield url


@pytest.fixture
def url(door: str, redis: Redis) -> str:
    del redis  # no keys
    return door


def unsigned(issuer: Issuer, **header: Any) -> str:
    parts = [{"alg": "none", "kid": "one"} | header, issuer.claims()]
    return ".".join(map(_part, parts)) + "."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """The oldest trick: HS256, with the published key as the secret."""
    public = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(issuer.claims())}"
    digest = hmac.digest(public, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _deep() -> str:
    return base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=")


def _deep_and_signed(issuer: Issuer) -> str:
    """A good signature of something that cannot be read."""
    head = _part({"alg": "ES256", "kid": "curve"})
    signed = f"{head}.{_deep()}".encode()
    signature = jwt.get_algorithm_by_name("ES256").sign(signed, issuer.curve)
    return f"{signed.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_token_of_the_issuer_opens_what_its_roles_say(url: str, issuer: Issuer) -> None:
    assert ask(url, **bearer(issuer.token())).status_code == 200
    refused = ask(url, "/v1/lamp/l1/Switch", "POST", **bearer(issuer.token()))
    body = require_problem(refused, 403, "forbidden")
    assert "token:ada" in body["detail"]
    assert ask(url).status_code == 401

    curved = jwt.encode(issuer.claims(), issuer.curve, "ES256", headers={"kid": "curve"})
    assert ask(url, **bearer(curved)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "may"),
    [
        ({"roles": ["wherry:read"]}, True), ({"roles": "read invoke"}, True),
        ({"roles": None, "scope": "openid wherry:read"}, True),
        ({"roles": None, "scope": "read"}, False), ({"roles": {"read": True}}, False),
        ({"roles": [["read"], 1, None]}, False), ({"roles": None}, False),
        ({"roles": ["admin", "reader", "READ"]}, False),
    ],
)  # fmt: skip
def test_roles_are_in_the_claim_or_in_scopes_of_ours(
    url: str, issuer: Issuer, claims: dict[str, Any], may: bool
) -> None:
    assert ask(url, **bearer(issuer.token(**claims))).status_code == (200 if may else 403)


def test_forged_and_foreign_tokens_open_nothing(url: str, issuer: Issuer) -> None:
    now, other = int(time.time()), rsa_key()
    header, payload, signature = issuer.token().split(".")
    wrong = {
        "no algorithm": unsigned(issuer),
        "no algorithm, spelled otherwise": unsigned(issuer, alg="None"),
        "the public key as a secret": signed_with_the_public_key(issuer),
        "expired": issuer.token(exp=now - 61),
        "expired long ago": issuer.token(exp=1),
        "not yet": issuer.token(nbf=now + 120),
        "for another": issuer.token(aud="other"),
        "for nobody": issuer.token(aud=None),
        "of another issuer": issuer.token(iss="https://evil.example"),
        "of no issuer": issuer.token(iss=None),
        "of an issuer that begins alike": issuer.token(iss=f"{issuer.url}.evil.example"),
        "without an end": issuer.token(exp=None),
        "of nobody": issuer.token(sub=None),
        "an end that is no number": issuer.token(exp="soon"),
        "without the id of a key": jwt.encode(issuer.claims(), issuer.key, "RS256"),
        "a path as the id of a key": issuer.token({"kid": "../../x"}),
        "an address as the id of a key": issuer.token({"kid": f"{issuer.url}/evil"}),
        "with something that must be understood": issuer.token({"crit": ["exp"], "exp": 1}),
        "another's key": jwt.encode(issuer.claims(), other, "RS256", headers={"kid": "one"}),
        "another's key, which it brings along": jwt.encode(
            issuer.claims(), other, "RS256",
            headers={"kid": "one", "jwk": jwk("one", other.public_key()), "jku": issuer.url},
        ),
        "the right key with another algorithm": jwt.encode(
            issuer.claims(), issuer.key, "PS256", headers={"kid": "one"}
        ),
        "changed": f"{header}.{_part(issuer.claims(roles=['operate']))}.{signature}",
        "without a signature": f"{header}.{payload}.",
        "too few parts": f"{header}.{payload}", "no token": "abc", "too long": "a" * 20_000,
        "nested without end": f"{_deep()}.{_deep()}.{signature}",
        "the same, signed": _deep_and_signed(issuer),
        "a list as the id of a key": unsigned(issuer, alg="RS256", kid=["one"]),
        "no object": f"{_part([])}.{_part([])}.{signature}",
    }  # fmt: skip

    opened = {why: ask(url, **bearer(token)) for why, token in wrong.items()}

    assert {why: a.status_code for why, a in opened.items() if a.status_code != 401} == {}
    assert len({a.text for a in opened.values()}) == 1
    assert {"/.well-known/openid-configuration", "/keys"} == set(issuer.asked)


def test_unknown_keys_do_not_make_us_ask_the_issuer_each_time(url: str, issuer: Issuer) -> None:
    asked = issuer.asked.count("/keys")

    for n in range(20):
        assert ask(url, **bearer(issuer.token({"kid": f"k{n}"}))).status_code == 401

    assert issuer.asked.count("/keys") <= asked + 1


def test_a_new_key_of_the_issuer_is_found(
    namespace: Runtime, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "PAUSE_S", 0.0)
    with (
        issuing() as issuer,
        front(namespace, Access(issuer=issuer.url, audience=AUDIENCE)) as url,
    ):
        assert ask(url, **bearer(issuer.token())).status_code == 200

        new = rsa_key()
        issuer.published = {"two": new.public_key()}
        rotated = jwt.encode(issuer.claims(), new, "RS256", headers={"kid": "two"})
        assert ask(url, **bearer(rotated)).status_code == 200
        assert ask(url, **bearer(issuer.token())).status_code == 401  # its key was taken back


def test_keys_are_not_taken_from_elsewhere(namespace: Runtime, redis: Redis) -> None:
    with issuing() as issuer, issuing() as other:
        access = Access(issuer=issuer.url, audience=AUDIENCE)
        issuer.redirect = f"{other.url}/keys"
        with front(namespace, access) as url:
            answer = ask(url, **bearer(issuer.token()))
            require_problem(answer, 503, "issuer-unreachable")
            assert int(answer.headers["retry-after"]) >= 1
        issuer.redirect, issuer.says = "", other.url
        with front(namespace, access) as url:
            require_problem(ask(url, **bearer(issuer.token())), 503, "issuer-unreachable")
        assert other.asked == []


def test_keys_may_be_in_a_file_and_api_keys_go_on_to_work(
    namespace: Runtime, keys: ApiKeys, issuer: Issuer, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}
    file.write_text(json.dumps({"keys": [secret, jwk("one", issuer.key.public_key()), 7, {}]}))
    access = Access(issuer=issuer.url, audience=AUDIENCE, key_set=str(file))

    with front(namespace, access) as url:
        assert ask(url, **bearer(issuer.token())).status_code == 200
        shared = jwt.encode(issuer.claims(), "secret" * 8, "HS256", headers={"kid": "shared"})
        assert ask(url, **bearer(shared)).status_code == 401
        assert ask(url, **bearer(keys.create("k", ["read"])["key"])).status_code == 200


@pytest.mark.parametrize(
    "address", ["http://issuer.example", "ftp://x", "issuer.example", "https://"]
)
def test_an_issuer_is_reached_by_https(address: str) -> None:
    with pytest.raises(Misconfigured, match="oidc_issuer"):
        Settings(oidc_issuer=address)


def test_an_issuer_needs_an_audience() -> None:
    with pytest.raises(Misconfigured, match="oidc_audience"):
        access_of(Settings(oidc_issuer="https://issuer.example"))


def test_claims_inside_claims_are_found(namespace: Runtime, issuer: Issuer, redis: Redis) -> None:
    access = Access(issuer=issuer.url, audience=AUDIENCE, roles_claim="realm_access.roles")
    with front(namespace, access) as url:
        nested = issuer.token(roles=None, realm_access={"roles": ["read"]})
        assert ask(url, **bearer(nested)).status_code == 200
        assert ask(url, **bearer(issuer.token())).status_code == 403
        assert ask(url, **bearer(issuer.token(realm_access="read"))).status_code == 403
