-- The queue: tenants, the domains that are their own queue, the workers that lease them, and batches.

CREATE TABLE tenants (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row for each worker process that ever ran here. The lease belongs to the worker: what it holds in
-- domains stays its own until lease_expires_at passes. Only the primary key is indexed, so that a renewal
-- is a heap-only update; the low fillfactor keeps room for it on the page.
CREATE TABLE workers (
    id               uuid PRIMARY KEY,
    name             text NOT NULL,
    version          text NOT NULL,
    concurrency      integer NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    renewed_at       timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz NOT NULL,
    lease_seconds    real NOT NULL CHECK (lease_seconds > 0),
    in_flight        integer NOT NULL DEFAULT 0,
    wake_mode        text NOT NULL DEFAULT 'starting' CHECK (wake_mode IN ('starting', 'listen', 'poll')),
    draining         boolean NOT NULL DEFAULT false,
    stopped_at       timestamptz,
    stats            jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE TABLE batches (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants,
    max_pages    integer NOT NULL,
    submitted_by text,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_tenant_idx ON batches (tenant_id, created_at DESC);

CREATE TYPE domain_status AS ENUM ('active', 'pending', 'processing', 'completed', 'error', 'cancelled');

CREATE TABLE domains (
    id                uuid PRIMARY KEY,
    seq               bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id         uuid NOT NULL REFERENCES tenants,
    domain            text NOT NULL CHECK (length(domain) BETWEEN 1 AND 255),
    status            domain_status NOT NULL DEFAULT 'active',
    -- What the claim reads: lower priority numbers first, then whoever is due longest.
    priority          smallint NOT NULL DEFAULT 50 CHECK (priority BETWEEN 0 AND 100),
    available_at      timestamptz NOT NULL DEFAULT now(),
    max_pages         integer NOT NULL DEFAULT 5 CHECK (max_pages BETWEEN 1 AND 100),
    rescan_every      interval CHECK (rescan_every >= interval '1 minute'),
    -- Asked for by the submitter: do not use what is remembered of earlier fetches.
    force             boolean NOT NULL DEFAULT false,
    attempt           integer NOT NULL DEFAULT 0,
    max_attempts      integer NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
    crash_count       integer NOT NULL DEFAULT 0,
    -- Rises on every claim and on every end of one, and is never reset: the fencing token.
    claim_token       bigint NOT NULL DEFAULT 0,
    worker_id         uuid,
    claimed_at        timestamptz,
    progress          real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    step              text,
    last_error        text,
    error_code        text,
    errors            jsonb NOT NULL DEFAULT '[]',
    -- The result of the last scan that succeeded.
    title             text,
    description       text,
    language          text,
    is_wordpress      boolean,
    wordpress_version text,
    email_addresses   text[] NOT NULL DEFAULT '{}',
    phone_numbers     text[] NOT NULL DEFAULT '{}',
    favicon_url       text,
    logo_url          text,
    domain_metadata   jsonb,
    -- ETag and Last-Modified of the pages read last, for conditional requests: {url: {etag, last_modified}}.
    http_validators   jsonb,
    batch_id          uuid REFERENCES batches ON DELETE SET NULL,
    submitted_by      text,
    submitted_at      timestamptz NOT NULL DEFAULT now(),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    completed_at      timestamptz,
    CONSTRAINT domains_tenant_domain_key UNIQUE (tenant_id, domain)
) WITH (
    -- Finished rows are rewritten on every rescan, and dead rows slow the claim: vacuum by count, not by share.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.05
);

-- Time-ordered ids where Postgres can make them (18): new rows land on the same index page.
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
        ALTER TABLE domains ALTER COLUMN id SET DEFAULT uuidv7();
        ALTER TABLE batches ALTER COLUMN id SET DEFAULT uuidv7();
    ELSE
        ALTER TABLE domains ALTER COLUMN id SET DEFAULT gen_random_uuid();
        ALTER TABLE batches ALTER COLUMN id SET DEFAULT gen_random_uuid();
    END IF;
END
$$;

-- In claim order, and only of what can be claimed. A lane is one (tenant_id, priority).
CREATE INDEX domains_claim_idx ON domains (tenant_id, priority, available_at, seq) WHERE status = 'pending';
-- For the sweep of expired leases. The fenced writes match on (id, claim_token) alone and never name the
-- status, because the planner would drive them through this index and read every row in flight for each.
CREATE INDEX domains_processing_idx ON domains (worker_id) WHERE status = 'processing';
CREATE INDEX domains_rescan_idx ON domains (available_at) WHERE status = 'completed' AND rescan_every IS NOT NULL;
CREATE INDEX domains_tenant_seq_idx ON domains (tenant_id, seq);

-- Which domains a batch was given. domains.batch_id names only the newest batch of a domain.
CREATE TABLE batch_items (
    batch_id  uuid NOT NULL REFERENCES batches ON DELETE CASCADE,
    position  integer NOT NULL,
    tenant_id uuid NOT NULL REFERENCES tenants,
    domain_id uuid NOT NULL REFERENCES domains ON DELETE CASCADE,
    PRIMARY KEY (batch_id, domain_id)
);
CREATE INDEX batch_items_domain_idx ON batch_items (domain_id);

-- What differed between one successful scan and the next.
CREATE TABLE domain_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenants,
    domain_id  uuid NOT NULL REFERENCES domains ON DELETE CASCADE,
    changed_at timestamptz NOT NULL DEFAULT now(),
    field      text NOT NULL,
    old_value  jsonb,
    new_value  jsonb
);
CREATE INDEX domain_changes_domain_idx ON domain_changes (domain_id, id);

-- At most so many workers on one address at once: the slot numbers are the limit, the primary key makes it exact.
CREATE TABLE concurrency_slots (
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    slot        smallint NOT NULL CHECK (slot >= 1),
    worker_id   uuid NOT NULL,
    domain_id   uuid NOT NULL,
    claim_token bigint NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, slot)
);
CREATE INDEX concurrency_slots_worker_idx ON concurrency_slots (worker_id);

-- A hint to whoever waits for work, for writers that are not this program too (psql, another service). The program's
-- own writers set scrapersky.notify = 'off' for their transaction, and send one coalesced NOTIFY after the commit
-- where anybody has to know, because every notifying commit takes one lock for the whole cluster. Inserts tell once
-- for each statement. Updates tell by row: a trigger of the statement would fire for a claim or a sweep that found
-- nothing, too, and so wake the worker that had just looked.
CREATE FUNCTION notify_domains_pending() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('scrapersky.notify', true), '') <> 'off' THEN
        PERFORM pg_notify('domains_pending', '');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER domains_pending_insert AFTER INSERT ON domains
    FOR EACH STATEMENT EXECUTE FUNCTION notify_domains_pending();

CREATE TRIGGER domains_pending_update AFTER UPDATE OF status ON domains
    FOR EACH ROW WHEN (NEW.status = 'pending' AND OLD.status NOT IN ('pending', 'processing'))
    EXECUTE FUNCTION notify_domains_pending();

INSERT INTO tenants (id, name) VALUES ('550e8400-e29b-41d4-a716-446655440000', 'default');
