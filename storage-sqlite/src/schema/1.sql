-- Ids are text, instants are seconds since 1970 UTC, digests and sealed bytes are blobs. `revision` is the id of the
-- change that wrote a record. `checksum` covers its whole row: a row that is changed by hand is refused from then on.
-- Read what you like; change things through latchbook.
--
-- Records of one developer stand beside the developer without referring to it: a copy brings them in any order, and a
-- key's counts may come after the key is gone.

-- What the store remembers of the authority that set it up; one row.
CREATE TABLE settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    issuer TEXT NOT NULL,
    environments TEXT NOT NULL, -- with spaces between them
    master_check BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE developers (
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    id TEXT NOT NULL,
    brand TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL, -- with spaces between them
    allowed_ips TEXT NOT NULL, -- with spaces between them; empty is anywhere
    metadata TEXT NOT NULL, -- a JSON object of texts
    -- The text that works now.
    generation INTEGER NOT NULL,
    pepper TEXT NOT NULL,
    digest BLOB NOT NULL,
    ends_at INTEGER,
    -- The text before it, while a rotation's grace runs.
    previous_generation INTEGER,
    previous_pepper TEXT,
    previous_digest BLOB,
    previous_ends_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    made_by TEXT,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_newest ON api_keys (environment, developer, created_at DESC, id);

CREATE TABLE key_activity (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    key TEXT NOT NULL,
    last_used_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE entities (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    id TEXT NOT NULL,
    legal_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entities_newest ON entities (environment, developer, created_at DESC, id);

CREATE TABLE signing_keys (
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('EdDSA', 'ES256', 'RS256')),
    public_key BLOB NOT NULL, -- the point, or the modulus
    public_exponent BLOB, -- for RS256
    private_sealed BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'retired')),
    retiring_until INTEGER,
    provenance TEXT NOT NULL CHECK (provenance IN ('generated', 'imported')),
    created_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signing_keys_oldest ON signing_keys (created_at, id);

CREATE TABLE peppers (
    id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('key_digest', 'audit_link')),
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX peppers_oldest ON peppers (created_at, id);

CREATE TABLE sandboxes (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    entity TEXT NOT NULL,
    first_key TEXT NOT NULL,
    name TEXT NOT NULL,
    industry TEXT,
    currency TEXT NOT NULL,
    timezone TEXT NOT NULL,
    locale TEXT NOT NULL,
    scenario TEXT NOT NULL,
    seed BLOB NOT NULL,
    clock_offset INTEGER NOT NULL,
    receipt BLOB,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'open')),
    lease_ends_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer)
) STRICT;
CREATE INDEX sandboxes_ending ON sandboxes (expires_at, environment, developer);

CREATE TABLE sandbox_requests (
    environment TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    developer TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    place BLOB NOT NULL, -- environment and digest, one after the other: orders those that end together
    revision TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, key_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX sandbox_requests_ending ON sandbox_requests (ends_at, place);

CREATE TABLE usage (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    day INTEGER NOT NULL, -- whole days since 1970, UTC
    key TEXT NOT NULL,
    requests INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer, day, key)
) STRICT, WITHOUT ROWID;

-- How many events a chain has, and the link of the last. An environment's own chain has an empty developer.
CREATE TABLE audit_chains (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    events INTEGER NOT NULL,
    head BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_events (
    environment TEXT NOT NULL,
    developer TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor IN ('host', 'upkeep', 'anonymous', 'key')),
    actor_key TEXT,
    actor_token TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    source TEXT,
    details TEXT NOT NULL, -- a JSON list of pairs
    audit_key TEXT NOT NULL,
    link BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (environment, developer, number),
    FOREIGN KEY (environment, developer) REFERENCES audit_chains (environment, developer)
) STRICT, WITHOUT ROWID;

-- What every process must know soon.
CREATE TABLE feed (
    position INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'token_revoked', 'key_revoked', 'generation_ended', 'epoch_raised', 'entity_removed', 'signing_key_changed'
    )),
    environment TEXT NOT NULL,
    developer TEXT, -- for `epoch_raised` and `entity_removed`
    subject TEXT, -- the token, the key, the entity or the signing key
    number INTEGER, -- the generation or the epoch
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX feed_ending ON feed (ends_at, position);

-- One row. Positions in the feed are taken from it, inside the transaction that uses them.
CREATE TABLE counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    feed_head INTEGER NOT NULL,
    feed_loaded_to INTEGER NOT NULL, -- up to here the feed came from a copy, in any order
    pruned_to INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- Changes of the last day, by which a repeated one is answered and not done again.
CREATE TABLE changes (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    feed INTEGER, -- the position of its last announcement
    audit TEXT NOT NULL, -- a JSON list of the numbers of its events
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (at, id);
