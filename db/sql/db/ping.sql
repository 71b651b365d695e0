-- Whether the server still answers.
-- column: one int
SELECT 1 AS one;
