-- Who may see what: API tokens, and row-level security for the role that every request runs as.

CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    token_sha256 bytea NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- The role is the cluster's, the tables are this database's: several databases may share it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scrapersky_tenant') THEN
        CREATE ROLE scrapersky_tenant NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database's migration made it at this moment
END
$$;

DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'scrapersky_tenant', 'MEMBER') THEN
        EXECUTE format('GRANT scrapersky_tenant TO %I', current_user);
    END IF;
END
$$;

-- An unset tenant reads as NULL, and NULL matches no row.
CREATE FUNCTION current_tenant_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('app.tenant_id', true), '')::uuid
$$;

GRANT USAGE ON SCHEMA public TO scrapersky_tenant;
GRANT SELECT, INSERT, UPDATE ON domains, batches, batch_items TO scrapersky_tenant;
GRANT SELECT ON domain_changes TO scrapersky_tenant;
GRANT SELECT ON workers TO scrapersky_tenant;

ALTER TABLE domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE domain_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;

CREATE POLICY domains_of_tenant ON domains TO scrapersky_tenant
    USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
CREATE POLICY batches_of_tenant ON batches TO scrapersky_tenant
    USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
CREATE POLICY batch_items_of_tenant ON batch_items TO scrapersky_tenant
    USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
CREATE POLICY domain_changes_of_tenant ON domain_changes TO scrapersky_tenant
    USING (tenant_id = current_tenant_id());
