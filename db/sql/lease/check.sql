-- Whether the lease is still ours: asked after the GET and before every write.
-- param:  environment_id uuid
-- param:  epoch bigint
-- param:  holder bigint
-- column: held bool
SELECT EXISTS (SELECT 1 FROM environment_lease
               WHERE environment_id = $1 AND epoch = $2 AND holder = $3 AND until > clock_timestamp()) AS held;
