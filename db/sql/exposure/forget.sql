-- Removes what is older than so many days, some rows at a time.
-- param:  days bigint
DELETE FROM flag_exposure
WHERE ctid IN (SELECT ctid FROM flag_exposure WHERE hour < clock_timestamp() - make_interval(days => $1::int) LIMIT 5000);
