-- compatible-with: 0004
-- What running it on a server of somebody else's needs.

-- Since Postgres 16 whoever creates a role without being a superuser, as on every hosted database, is its member with
-- the right to grant it, but without the right to act as it. Here that right is taken where it is missing.
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 160000
        AND NOT pg_has_role(current_user, 'scrapersky_tenant', 'SET') THEN
        EXECUTE format('GRANT scrapersky_tenant TO %I', current_user);
    END IF;
END
$$;
