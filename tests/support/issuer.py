"""An issuer of tokens (OpenID Connect) on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "harbour"

Rsa = rsa.RSAPrivateKey


def rsa_key() -> Rsa:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """Publishes keys and makes tokens. `asked` has each path that somebody asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa_key()
        self.curve = ec.generate_private_key(ec.SECP256R1())
        self.published = {"one": self.key.public_key(), "curve": self.curve.public_key()}
        self.asked: list[str] = []
        self.redirect = ""
        self.says = url

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What a good token says; None takes a claim away."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": "ada", "exp": now + 60, "nbf": now - 1,
            "iat": now, "roles": ["read"],
        }  # fmt: skip
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """A token of the RSA key."""
        return jwt.encode(
            self.claims(**changed), self.key, "RS256", headers={"kid": "one"} | (header or {})
        )

    def document(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.says, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            return {"keys": [jwk(kid, key) for kid, key in self.published.items()]}
        return None


def jwk(kid: str, key: Any) -> dict[str, Any]:
    """A public key as it is published."""
    algorithm = "RS256" if isinstance(key, rsa.RSAPublicKey) else "ES256"
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key)
    public: dict[str, Any] = json.loads(made)
    return public | {"kid": kid, "use": "sig", "alg": algorithm}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if issuer.redirect and self.path == "/keys":
                self.send_response(302)
                self.send_header("Location", issuer.redirect)
                self.end_headers()
                return
            found = issuer.document(self.path)
            body = json.dumps(found).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
