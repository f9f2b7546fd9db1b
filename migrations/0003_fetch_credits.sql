-- What the paid fetching service charged, day by day (UTC), for all tenants and workers together.

-- A reservation adds to spent before the request is made, and only where the day's limit holds; the settlement
-- replaces it by the real charge. So a worker that dies in between leaves too much counted, never too little.
CREATE TABLE fetch_credits (
    day      date PRIMARY KEY DEFAULT (now() AT TIME ZONE 'UTC')::date,
    spent    bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
    requests bigint NOT NULL DEFAULT 0 CHECK (requests >= 0)
);

-- Readable by every tenant's role: it is one budget, and the pages show what is left of it.
GRANT SELECT ON fetch_credits TO scrapersky_tenant;
