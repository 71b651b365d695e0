-- The roles whose approvals a deployment still waits for, in the order in which its environment asks for them.
-- param:  deployment_id uuid
-- column: roles jsonb
SELECT to_jsonb(missing) AS roles FROM acceptance_standing($1);
