-- What the web side keeps: answers to repeated submits, callbacks owed, and how a cell of a spreadsheet is written.

-- A submit that is sent again under the same key gets the answer of the first. Kept for a day.
CREATE TABLE idempotency_keys (
    tenant_id      uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    key            text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_sha256 bytea NOT NULL,
    response       jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- A callback is owed from the submit on. It is due once its domain, or every domain of its batch, has ended;
-- then it is claimed, and every write of a claim matches on its token, as with the domains themselves.
CREATE TABLE webhook_deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    token_id     uuid REFERENCES api_tokens ON DELETE SET NULL,
    url          text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    domain_id    uuid REFERENCES domains ON DELETE CASCADE,
    batch_id     uuid REFERENCES batches ON DELETE CASCADE,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'due', 'delivered', 'failed')),
    attempt      integer NOT NULL DEFAULT 0,
    claim_token  bigint NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT now(),
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT webhook_of_a_domain_or_a_batch CHECK (num_nonnulls(domain_id, batch_id) = 1)
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (available_at) WHERE state = 'due';
CREATE INDEX webhook_deliveries_waiting_idx ON webhook_deliveries (id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_domain_idx ON webhook_deliveries (domain_id);
CREATE INDEX webhook_deliveries_batch_idx ON webhook_deliveries (batch_id);

GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO scrapersky_tenant;
GRANT SELECT, INSERT ON webhook_deliveries TO scrapersky_tenant;

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_keys_of_tenant ON idempotency_keys TO scrapersky_tenant
    USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
CREATE POLICY webhook_deliveries_of_tenant ON webhook_deliveries TO scrapersky_tenant
    USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());

-- A line whose cells no spreadsheet takes for formulas: all quoted, and with an apostrophe before what begins as one
-- does (= + - @ and their full-width forms), even after blanks. Line breaks and tabs become blanks. One call for a
-- line, because a call for each cell costs more than all that is done in it.
CREATE FUNCTION csv_line(cells text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(
        '"'
            || CASE WHEN left(ltrim(cell, E' \u00a0\u3000'), 1) IN ('=', '+', '-', '@', '＝', '＋', '－', '＠')
               THEN '''' ELSE '' END
            || replace(cell, '"', '""')
            || '"',
        ',' ORDER BY position
    )
    FROM (
        SELECT translate(coalesce(given, ''), E'\r\n\t\f\v', '     ') AS cell, position
        FROM unnest(cells) WITH ORDINALITY AS u (given, position)
    ) AS clean
$$;
