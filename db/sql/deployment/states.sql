-- How many deployments are in each state.
-- column: state text
-- column: count bigint
SELECT state, count(*) FROM deployment GROUP BY state ORDER BY state;
