"""Walks through a sandbox's ledger with the published client `openledger` 4.20.4.

    create_sandbox.py BASE_URL DEVELOPER_ID | use_ledger.py BASE_URL

BASE_URL is the server's root, such as http://127.0.0.1:8080. The sandbox comes as JSON on standard input, so
that its API key stands in no process list. Prints one line a step, and never a key or a token.
"""

import datetime
import json
import sys
import uuid

import pydantic
from openledger import OpenLedgerClient
from openledger.core.api_error import ApiError

CASH, SALES = 1001, 4001
TYPES = {"ASSET", "LIABILITY", "EQUITY", "REVENUE", "EXPENSE"}
# Small, so that the list comes in several pages.
PAGE_SIZE = 5


class Failed(Exception):
    """One expectation did not hold. The message holds no key and no token."""


def main(base_url):
    sandbox = json.load(sys.stdin)
    try:
        developer_id, api_key = sandbox["developer"]["id"], sandbox["developer"]["apiKey"]
        entity_id, ledger_id = sandbox["entity"]["id"], sandbox["ledger"]["id"]
    except (KeyError, TypeError):
        raise Failed("standard input lacks what create_sandbox.py prints of a sandbox") from None

    def client_with(token):
        return OpenLedgerClient(base_url=base_url, token=token, timeout=10)

    # The client insists on a token and sends it to the token endpoints too, which do not look at it.
    stranger = client_with("none-yet")
    as_developer = client_with(
        token_in(stranger.developers.generate_developer_authentication_token(developer_id=developer_id, api_key=api_key))
    )
    step("the API key became a developer token")
    as_entity = client_with(
        token_in(
            stranger.entities.generate_authentication_token(
                entity_id=entity_id, api_key=api_key, developer_id=developer_id
            )
        )
    )
    step("the API key became an entity token")

    for client in (as_developer, as_entity):
        check_entity(client.entities.get_entity_details(entity_id=entity_id).entity, sandbox)
    step(f"entity {entity_id} was read with either token")

    categories = as_entity.categories.get_categories(entity_id=entity_id).categories or []
    accounts = {category.code: category.id for category in categories}
    check_categories(categories, entity_id, ledger_id)
    step(f"{len(categories)} categories were listed")

    before = all_transactions(as_entity, entity_id)
    check(before, "the sandbox has no transactions")
    for transaction in before:
        check_transaction(transaction, entity_id, accounts.values())
    step(f"{len(before)} transactions were listed")

    wanted = {
        "amount": 12.34,
        "currency": "USD",
        "description": f"Posted by use_ledger.py, {uuid.uuid4()}",
        "debit_account_id": accounts[CASH],
        "credit_account_id": accounts[SALES],
        "metadata": {"source": "use_ledger.py"},
    }
    date = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    posted = as_developer.transactions.create_a_new_transaction(
        entity_id=entity_id, date=date, status="CLEARED", **wanted
    ).transaction
    check_transaction(posted, entity_id, accounts.values())
    check_same(posted, wanted, date, "the answer to the post")
    step(f"transaction {posted.id} was posted")

    after = all_transactions(as_entity, entity_id)
    found = [transaction for transaction in after if transaction.id == posted.id]
    check(len(found) == 1, f"the posted transaction is in the list {len(found)} times")
    check_transaction(found[0], entity_id, accounts.values())
    check_same(found[0], wanted, date, "the list")
    check(
        {transaction.id for transaction in after} == {transaction.id for transaction in before} | {posted.id},
        "the list after the post is not the list before it and the posted one",
    )
    step("the posted transaction is in the list")


def token_in(answer):
    check(answer.access_token, "no `access_token`")
    check(answer.token_type == "Bearer", "`token_type` is not Bearer")
    check(answer.expires_in and answer.expires_in > 0, "`expires_in` is not a positive number")
    return answer.access_token


def all_transactions(client, entity_id):
    transactions, cursors = {}, [None]
    while True:
        page = client.transactions.get_transactions_by_entity(
            entity_id=entity_id, cursor=cursors[-1], page_size=PAGE_SIZE
        )
        check(page.transactions is not None, "no `transactions`")
        check(len(page.transactions) <= PAGE_SIZE, f"a page holds more than {PAGE_SIZE} transactions")
        for transaction in page.transactions:
            check(transaction.id not in transactions, "a transaction is in two places of the list")
            transactions[transaction.id] = transaction
        check(page.has_more is not None, "no `hasMore`")
        if not page.has_more:
            return list(transactions.values())
        check(page.next_cursor and page.next_cursor not in cursors, "more is promised without a new `nextCursor`")
        cursors.append(page.next_cursor)


def check_entity(entity, sandbox):
    check(entity, "no `entity`")
    check(entity.id == sandbox["entity"]["id"], "`entity.id` is another entity's")
    check(entity.name == sandbox["entity"]["legal_name"], "`entity.name` is not the sandbox's legal_name")
    check(entity.developer_id == sandbox["developer"]["id"], "`entity.developerId` is another developer's")
    check(entity.created_at and entity.created_at.tzinfo, "`entity.createdAt` is not an instant with its zone")


def check_categories(categories, entity_id, ledger_id):
    check(categories, "the sandbox has no categories")
    for category in categories:
        check(category.id and category.name, "a category has no id or no name")
        check(category.type in TYPES, f"a category has the type {category.type}")
        check(category.entity_id == entity_id, "a category's `entityId` is another entity's")
        check(category.ledger_id == ledger_id, "a category's `ledgerId` is not the sandbox's")
    by_code = {category.code: category for category in categories}
    check(len(by_code) == len(categories), "two categories have the same code")
    for code, kind, name in ((CASH, "ASSET", "Cash"), (SALES, "REVENUE", "Sales")):
        check(code in by_code, f"no category {code}")
        check((by_code[code].type, by_code[code].name) == (kind, name), f"category {code} is not {kind} {name}")


def check_transaction(transaction, entity_id, account_ids):
    check(transaction and transaction.id, "no transaction, or one without an id")
    check(transaction.entity_id == entity_id, "a transaction's `entityId` is another entity's")
    check(transaction.timestamp and transaction.timestamp.tzinfo, "a `timestamp` is not an instant with its zone")
    check(transaction.amount and transaction.amount > 0, "an `amount` is not positive")
    check(transaction.currency == "USD", "a `currency` is not the sandbox's")
    check(transaction.debit_account_id in account_ids, "a `debitAccountId` is in no category")
    check(transaction.credit_account_id in account_ids, "a `creditAccountId` is in no category")
    check(transaction.debit_account_id != transaction.credit_account_id, "a transaction's two accounts are equal")
    check(transaction.status in ("PENDING", "POSTED"), f"a transaction has the status {transaction.status}")


def check_same(transaction, wanted, date, place):
    for field, value in wanted.items():
        check(getattr(transaction, field) == value, f"{place} has another `{field}` than was posted")
    check(transaction.timestamp == date, f"{place} has another `timestamp` than the `date` that was posted")
    check(transaction.status == "POSTED", f"{place} does not say POSTED of a cleared transaction")


def check(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def step(done):
    print(f"use_ledger: {done}", flush=True)


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
    if isinstance(error, json.JSONDecodeError):
        return "standard input, or an answer, is not JSON"
    return type(error).__name__


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: use_ledger.py BASE_URL, with the sandbox's JSON on standard input")
    try:
        main(sys.argv[1])
    except Exception as error:
        sys.exit(f"use_ledger: failed: {reason(error)}")
