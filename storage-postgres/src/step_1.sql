CREATE TABLE {schema}.versions (
    version bigint PRIMARY KEY,
    format text NOT NULL
);

CREATE TABLE {schema}.settings (
    id text COLLATE "C" PRIMARY KEY,
    issuer text NOT NULL,
    environments text[] NOT NULL,
    master_check bytea NOT NULL,
    created_at bigint NOT NULL,
    revision bytea NOT NULL
);

CREATE TABLE {schema}.developers (
    environment text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    epoch numeric(20) NOT NULL,
    created_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, id)
);
CREATE INDEX developers_by_place ON {schema}.developers (environment, place);

CREATE TABLE {schema}.api_keys (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    brand text NOT NULL,
    name text NOT NULL,
    scope text NOT NULL,
    allowed_ips text[] NOT NULL,
    metadata jsonb NOT NULL,
    generation numeric(20) NOT NULL,
    pepper bytea NOT NULL,
    digest bytea NOT NULL,
    ends_at bigint,
    previous_generation numeric(20),
    previous_pepper bytea,
    previous_digest bytea,
    previous_ends_at bigint,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    made_by text,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, developer, id)
);
CREATE INDEX api_keys_by_place ON {schema}.api_keys (environment, developer, place);

CREATE TABLE {schema}.key_activity (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    last_used_at bigint NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, developer, key_id)
);

CREATE TABLE {schema}.entities (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    legal_name text NOT NULL,
    created_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, developer, id)
);
CREATE INDEX entities_by_place ON {schema}.entities (environment, developer, place);

CREATE TABLE {schema}.signing_keys (
    environment text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    exponent bytea,
    sealed_private_key bytea NOT NULL,
    state text NOT NULL,
    retiring_until bigint,
    provenance text NOT NULL,
    created_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, id)
);
CREATE INDEX signing_keys_by_place ON {schema}.signing_keys (place);

CREATE TABLE {schema}.peppers (
    id bytea PRIMARY KEY,
    purpose text NOT NULL,
    sealed bytea NOT NULL,
    created_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL
);
CREATE INDEX peppers_by_place ON {schema}.peppers (place);

CREATE TABLE {schema}.sandboxes (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    entity text NOT NULL,
    first_key text NOT NULL,
    name text NOT NULL,
    industry text,
    currency text NOT NULL,
    timezone text NOT NULL,
    locale text NOT NULL,
    scenario text NOT NULL,
    seed bytea NOT NULL,
    clock_offset bigint NOT NULL,
    sealed_receipt bytea,
    lease_ends_at bigint,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, developer)
);
CREATE INDEX sandboxes_by_place ON {schema}.sandboxes (place);

CREATE TABLE {schema}.sandbox_requests (
    environment text COLLATE "C" NOT NULL,
    key_digest bytea NOT NULL,
    body_digest bytea NOT NULL,
    developer text NOT NULL,
    ends_at bigint NOT NULL,
    place bytea NOT NULL,
    revision bytea NOT NULL,
    PRIMARY KEY (environment, key_digest)
);
CREATE INDEX sandbox_requests_by_place ON {schema}.sandbox_requests (place);

CREATE TABLE {schema}.usage (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    place bytea NOT NULL,
    day bigint NOT NULL,
    key_id text NOT NULL,
    requests numeric(20) NOT NULL,
    exchanges numeric(20) NOT NULL,
    PRIMARY KEY (environment, developer, place)
);

CREATE TABLE {schema}.audit_events (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    actor_key text,
    actor_token text,
    action text NOT NULL,
    subject text NOT NULL,
    source text,
    details jsonb NOT NULL,
    audit_key bytea NOT NULL,
    link bytea NOT NULL,
    PRIMARY KEY (environment, developer, number)
);

CREATE TABLE {schema}.audit_heads (
    environment text COLLATE "C" NOT NULL,
    developer text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    link bytea NOT NULL,
    PRIMARY KEY (environment, developer)
);

CREATE TABLE {schema}.feed (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    ends_at bigint NOT NULL,
    kind text NOT NULL,
    environment text NOT NULL,
    developer text,
    subject text NOT NULL,
    number numeric(20)
);
CREATE INDEX feed_by_end ON {schema}.feed (ends_at, position);

CREATE TABLE {schema}.changes (
    id bytea PRIMARY KEY,
    at bigint NOT NULL,
    feed bigint,
    audit bigint[] NOT NULL
);
CREATE INDEX changes_by_instant ON {schema}.changes (at, id);

CREATE TABLE {schema}.meta (
    id bigint PRIMARY KEY,
    feed_head bigint NOT NULL,
    pruned_to bigint NOT NULL,
    pruned_at bigint NOT NULL
);
INSERT INTO {schema}.meta (id, feed_head, pruned_to, pruned_at) VALUES (1, 0, 0, 0);
