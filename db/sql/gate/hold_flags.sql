-- Law 4 for facts that are flags: nobody changes those that the gates of an environment may look at until this transaction
-- ends, which has locked the environment.
-- param:  environment_id uuid
-- column: held bool
SELECT gate_hold_flags($1) AS held;
