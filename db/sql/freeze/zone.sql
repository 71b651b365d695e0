-- Whether a freeze may follow this time zone: one with rules.  Of a name that is an abbreviation as well (CET, EST)
-- PostgreSQL would take the abbreviation, which knows no summer time.
-- param:  name text
-- column: name text
SELECT z.name
FROM pg_timezone_names z
WHERE z.name = $1 AND z.name ~ '^[A-Z]'
  AND (z.name = 'UTC' OR NOT EXISTS (SELECT 1 FROM pg_timezone_abbrevs a WHERE a.abbrev = upper(z.name)));
