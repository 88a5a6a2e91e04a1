//! Ledger, channel, grant, right.

pub(super) const ROWS: &str = r#"
# The ledger must be fresh.
|                      | allow
| age=1                | allow
| age=5000             | allow
| age=5001             | ledger_stale
| age=max              | ledger_stale
| age=5001 closing     | ledger_stale
| age=5001 revoked     | ledger_stale

# The channel lives up to its expiry, and not at it.
| closing              | channel_closed
| expires=1000000000   | channel_expired
| expires=999999999    | channel_expired
| expires=0            | channel_expired
| expires=1000000002   | allow
| expires=max          | allow
| now=0                | allow
| now=999999999        | allow
| now=1000000001       | channel_expired
| now=max              | channel_expired
| now=max expires=max  | channel_expired
| closing expires=0    | channel_closed
| closing nolicensee   | channel_closed
| expires=0 revoked    | channel_expired

# The grant.
| nolicensee           | grant_missing
| revoked              | grant_revoked
| nolicensee revoked   | grant_missing
| accepted=1000000000  | allow
| accepted=max         | allow
revoke_if = ["owner"]                 |            | allow
revoke_if = ["owner"]                 | revoked    | grant_revoked
revoke_if = ["breach"]                |            | allow
revoke_if = ["breach"]                | revoked    | grant_revoked
revoke_if = ["non_payment"]           | revoked    | grant_revoked
revoke_if = ["breach", "non_payment"] | nolicensee | grant_missing

# Days are counted from acceptance; at their end the grant is over.
term.days = 11    |                     | grant_term_over
term.days = 12    |                     | allow
term.days = 11    | accepted=49600000   | grant_term_over
term.days = 11    | accepted=49600001   | allow
term.days = 1     | accepted=913600000  | grant_term_over
term.days = 1     | accepted=913600001  | allow
term.days = 1     | accepted=max        | allow
term.days = 36525 |                     | allow
term.days = 11    | revoked             | grant_revoked
term.days = 11    | nolicensee          | grant_missing
term.days = 11    | right=train         | grant_term_over

# An instant is the first moment after the grant. Now is 1970-01-12T13:46:40Z.
term.until = 1970-01-12T13:46:40Z      |                    | grant_term_over
term.until = 1970-01-12T13:46:40.001Z  |                    | allow
term.until = 1970-01-12T13:46:39.999Z  |                    | grant_term_over
term.until = 1970-01-01T00:00:00Z      |                    | grant_term_over
term.until = 9999-12-31T23:59:59Z      |                    | allow
term.until = 1970-01-12T14:46:40+01:00 | now=999999999      | allow
term.until = 1970-01-12T13:46:40Z      | accepted=max       | grant_term_over

# The right that the call makes use of.
| right=compose | right_not_granted
| right=fetch   | right_not_granted
| right=derive  | right_not_granted
| right=train   | right_not_granted
| right=compute | right_not_granted
grants = ["compose"]                  | right=compose | allow
grants = ["compose"]                  | right=call    | right_not_granted
grants = ["fetch"]                    | right=fetch   | allow
grants = ["fetch"]                    | right=call    | right_not_granted
grants = ["derive"]                   | right=derive  | allow
grants = ["derive"]                   | right=train   | right_not_granted
grants = ["train"]                    | right=train   | allow
grants = ["train"]                    | right=compute | right_not_granted
grants = ["compute"]                  | right=compute | allow
grants = ["call", "compose"]          | right=call    | allow
grants = ["call", "compose"]          | right=compose | allow
grants = ["call", "compose"]          | right=fetch   | right_not_granted
grants = ["call", "derive"]           | right=derive nolicensee | grant_missing
grants = ["fetch", "train", "derive"] | right=call first expires=0 | right_not_granted
"#;
