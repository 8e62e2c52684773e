"""Creates one sandbox through the published client `openledger-python-sdk` 0.0.46.

    create_sandbox.py BASE_URL DEVELOPER_ID | use_ledger.py BASE_URL

BASE_URL is the server's root, such as http://127.0.0.1:8080. Standard output is the sandbox as the client
understood it, as JSON, with its API key and token in the clear: send it into a pipe, not to a terminal.
"""

import json
import re
import sys

import pydantic
from openledger import OpenLedgerClient
from openledger.core.api_error import ApiError
from openledger.sandbox.types import SandboxRequestPreferences

NAME = "Platypus Trading"
API_KEY = re.compile(r"[a-z0-9]{2,8}_sandbox_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}")


class Failed(Exception):
    """One expectation did not hold. The message holds no key and no token."""


def main(base_url, developer_id):
    # This generation of the client has `/v1` in its base URL and sends no token unless it is given one.
    client = OpenLedgerClient(base_url=base_url.rstrip("/") + "/v1", timeout=10)
    answer = client.sandbox.create_sandbox_environment(
        name=NAME,
        developer_id=developer_id,
        industry="retail",
        preferences=SandboxRequestPreferences(currency="USD", timezone="UTC", locale="en-US"),
    )
    # Every field of the client's models is optional: what is there has to be looked at.
    check(answer.success is True, "`success` is not true")
    check(answer.data, "no `data`")
    sandbox = answer.data
    check(sandbox.developer and sandbox.developer.id == developer_id, "`developer.id` is not the one asked for")
    check(API_KEY.fullmatch(sandbox.developer.api_key or ""), "`developer.apiKey` does not look like a sandbox key")
    check(sandbox.entity and sandbox.entity.id and sandbox.entity.legal_name, "`entity` has no id or no legal_name")
    check(sandbox.ledger and sandbox.ledger.id, "`ledger` has no id")
    check((sandbox.token or "").count(".") == 2, "`token` is not a signed token")
    check(sandbox.plaid_accounts, "`plaidAccounts` is empty")
    for account in sandbox.plaid_accounts:
        check(
            account.id and account.name and account.mask and account.type and account.subtype,
            "a bank account lacks its id, name, mask, type or subtype",
        )
        check(account.balance and account.balance.current is not None, "a bank account lacks its current balance")
    json.dump(sandbox.dict(), sys.stdout)
    print()


def check(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def reason(error):
    """What may be said about `error`: values are left out, since they may be secrets."""
    if isinstance(error, Failed):
        return str(error)
    if isinstance(error, ApiError):
        code = error.body.get("error") if isinstance(error.body, dict) else None
        return f"the server answered {error.status_code} ({code or 'no problem body'})"
    if isinstance(error, pydantic.ValidationError):
        places = (".".join(map(str, e["loc"])) + ": " + e["type"] for e in error.errors(include_input=False))
        return "the client cannot read the answer: " + ", ".join(places)
    return type(error).__name__


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: create_sandbox.py BASE_URL DEVELOPER_ID")
    try:
        main(*sys.argv[1:])
    except Exception as error:
        sys.exit(f"create_sandbox: {reason(error)}")
