"""Gets, checks and ends a token with Authlib 1.9.10, which knows nothing of latchbook.

    create_sandbox.py BASE_URL DEVELOPER_ID | oauth_client.py fetch BASE_URL
    … | oauth_client.py end

BASE_URL is the server's root, such as http://127.0.0.1:8080, and must be its issuer URL too. `fetch` takes the sandbox as
JSON from standard input and prints what the other clients here go on with, as JSON: the server's metadata, the client
and its token, in the clear; send it into a pipe, not to a terminal. `end` takes that from standard input.
"""

import json
import os
import sys

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

SCOPE = "ledger:read ledger:write"


class Failed(Exception):
    """One expectation did not hold. The message holds no key and no token."""


def fetch(base_url):
    sandbox = json.load(sys.stdin)
    issuer = f"{base_url.rstrip('/')}/sandbox"
    answer = requests.get(get_well_known_url(issuer, external=True), timeout=10)
    check(answer.status_code == 200, "the metadata is not where RFC 8414 says")
    metadata = AuthorizationServerMetadata(answer.json())
    metadata.validate()
    check(metadata["issuer"] == issuer, "`issuer` is not the one that was asked for")

    client_id, client_secret = sandbox["developer"]["id"], sandbox["developer"]["apiKey"]
    for method in metadata["token_endpoint_auth_methods_supported"]:
        session = session_of(metadata, client_id, client_secret, method, scope=SCOPE)
        token = session.fetch_token(grant_type="client_credentials")
        check(token["token_type"] == "Bearer" and 0 < token["expires_in"] <= 3600, "the token is not as RFC 6749 says")
        check(token.get("scope") == SCOPE, "`scope` is not the one that was asked for")
        step(f"a token was fetched by {method}")

    wrong = session_of(metadata, client_id, client_secret[:-1] + "~", "client_secret_basic")
    try:
        wrong.fetch_token(grant_type="client_credentials")
        raise Failed("a wrong secret got a token")
    except AuthlibBaseError as error:
        check(error.error == "invalid_client", f"a wrong secret is `{error.error}`")
    step("a wrong secret was refused")
    known = {"metadata": metadata, "client_id": client_id, "client_secret": client_secret}
    json.dump({**known, "token": token["access_token"], "entity": sandbox["entity"]["id"]}, sys.stdout)
    print()


def end():
    known = json.load(sys.stdin)
    metadata, token = known["metadata"], known["token"]
    for method in metadata["revocation_endpoint_auth_methods_supported"]:
        session = session_of(metadata, known["client_id"], known["client_secret"], method)
        told = introspect(session, metadata, token)
        check(told.get("active") is True, "the token is not active")
        check(told["scope"] == SCOPE and told["iss"] == metadata["issuer"], "`scope` or `iss` is not the token's")
        check(told["sub"] == told["developer"] == known["client_id"], "`sub` is not the developer")
    step("the token was introspected")
    check(introspect(session, metadata, "no.to.ken") == {"active": False}, "nonsense is not inactive")
    for _ in range(2):
        answer = session.revoke_token(metadata["revocation_endpoint"], token=token, token_type_hint="access_token")
        check((answer.status_code, answer.content) == (200, b""), f"the token was not revoked: {answer.status_code}")
    check(introspect(session, metadata, token) == {"active": False}, "a revoked token is not inactive")
    step("the token was revoked, and is inactive")


def session_of(metadata, client_id, client_secret, method, **more):
    return OAuth2Session(
        client_id,
        client_secret,
        token_endpoint=metadata["token_endpoint"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        **more,
    )


def introspect(session, metadata, token):
    answer = session.introspect_token(metadata["introspection_endpoint"], token=token)
    check(answer.status_code == 200, f"introspection was answered by {answer.status_code}")
    return answer.json()


def check(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def step(text):
    print(f"oauth_client: {text}", file=sys.stderr)


def reason(error):
    """What may be said about `error`: values are left out, since they may be secrets."""
    if isinstance(error, Failed):
        return str(error)
    if isinstance(error, AuthlibBaseError):
        return f"the server answered `{error.error}`"
    return type(error).__name__


if __name__ == "__main__":
    # Authlib speaks HTTPS alone unless told so: the play is on the loopback.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    try:
        match sys.argv[1:]:
            case ["fetch", base_url]:
                fetch(base_url)
            case ["end"]:
                end()
            case _:
                sys.exit("usage: oauth_client.py fetch BASE_URL | oauth_client.py end")
    except Exception as error:
        sys.exit(f"oauth_client: {reason(error)}")
