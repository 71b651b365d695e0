-- Whether an app exists; it stays for as long as this transaction lasts.
-- param:  name text
-- column: name text
SELECT name FROM app WHERE name = $1 FOR KEY SHARE;
