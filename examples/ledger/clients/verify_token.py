"""Verifies a token offline with PyJWT 2.15.1, by the keys that the server publishes.

    … | verify_token.py

Takes what `oauth_client.py fetch` prints from standard input.
"""

import json
import sys

import jwt


class Failed(Exception):
    """One expectation did not hold. The message holds no token."""


def main():
    known = json.load(sys.stdin)
    metadata, token = known["metadata"], known["token"]
    keys = jwt.PyJWKClient(metadata["jwks_uri"], timeout=10)

    def verified(token, keys=keys, issuer=metadata["issuer"]):
        return jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["EdDSA"],
            issuer=issuer,
            audience=issuer,
            options={"require": ["iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti"]},
        )

    check(jwt.get_unverified_header(token)["typ"] == "at+jwt", "`typ` is not that of RFC 9068")
    claims = verified(token)
    check(claims["sub"] == claims["developer"] == known["client_id"], "`sub` is not the developer")
    check(claims["env"] == "sandbox", "`env` is not the sandbox")

    head, payload, signature = token.split(".")
    swapped = "A" if signature[0] != "A" else "B"
    refused(lambda: verified(f"{head}.{payload}.{swapped}{signature[1:]}"), "a wrong signature")
    refused(lambda: verified(token, issuer=metadata["issuer"].replace("/sandbox", "/live")), "another issuer")
    live = jwt.PyJWKClient(metadata["jwks_uri"].replace("/sandbox.json", "/live.json"), timeout=10)
    refused(lambda: verified(token, keys=live), "the keys of another environment")
    print("verify_token: the token was verified by its key set, and by no other", file=sys.stderr)


def refused(verify, what):
    try:
        verify()
    except jwt.PyJWTError:
        return
    raise Failed(f"{what} was let through")


def check(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"verify_token: {error if isinstance(error, Failed) else type(error).__name__}")
