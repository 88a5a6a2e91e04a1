//! Numbers: unit price, quota, blocks' calls and budgets, the channel's money.

pub(super) const ROWS: &str = r#"
# The unit price that the channel's payer accepts.
| unit=11              | price_above_limit
| unit=max             | price_above_limit
| unit=0               | allow
| unit=9               | allow
| unit=1 unit_max=0    | price_above_limit
| unit=0 unit_max=0    | allow
| unit=max unit_max=max | allow

# Calls of the quota. Without one, the count matters to nobody.
| used=max             | allow
quota = { calls = 10, per = "day" }    |                | allow
quota = { calls = 10, per = "day" }    | used=9         | allow
quota = { calls = 10, per = "day" }    | used=10        | quota_exceeded
quota = { calls = 10, per = "day" }    | used=11        | quota_exceeded
quota = { calls = 10, per = "day" }    | used=max       | quota_exceeded
quota = { calls = 1, per = "month" }   |                | allow
quota = { calls = 1, per = "month" }   | used=1         | quota_exceeded
quota = { calls = 1, per = "term" }    | used=1         | quota_exceeded
quota.calls = 2                        | used=1         | allow
quota.calls = 2                        | used=2         | quota_exceeded
quota.calls = 1000000000000            | used=999999999999 | allow
quota.calls = 2                        | used=2 unit=11 | price_above_limit
quota.calls = 2                        | used=2 hold=0 line=0 | quota_exceeded
grants = ["call", "compose"];quota.calls = 2 | right=compose used=2 | quota_exceeded

# Spend of the quota, in credits; the lines of the call may cost 100 nano-credit.
| spent=max            | allow
quota.spend = "0.0000001"                     |                    | allow
quota.spend = "0.0000001"                     | spent=1            | spend_exceeded
quota.spend = "0.000000099"                   |                    | spend_exceeded
quota.spend = "0.000000099"                   | line=99            | allow
quota.spend = "0.00000025"                    | spent=150          | allow
quota.spend = "0.00000025"                    | spent=151          | spend_exceeded
quota.spend = "0.00000025"                    | spent=151 line=99  | allow
quota.spend = "0.00000025"                    | spent=250          | spend_exceeded
quota.spend = "0.00000025"                    | spent=250 line=0   | allow
quota.spend = "0.00000025"                    | spent=251 line=0   | spend_exceeded
quota.spend = "0.00000025"                    | spent=max          | spend_exceeded
quota.spend = "0.00000025"                    | spent=max line=max | spend_exceeded
quota.spend = "18446744073.709551615"         | spent=max          | spend_exceeded
quota.spend = "18446744073.709551615"         | spent=max line=0   | allow
quota = { spend = "0.0000002", per = "day" }   | spent=100         | allow
quota = { spend = "0.0000002", per = "day" }   | spent=101         | spend_exceeded
quota = { spend = "0.0000002", per = "month" } | spent=200         | spend_exceeded
# What other grants' lines and the network cost is in the hold, and not in this spend.
quota.spend = "0.0000001"                     | hold=1000          | allow
quota.spend = "0.0000001"                     | hold=1000 line=101 | spend_exceeded
quota = { calls = 5, spend = "0.0000002" }    | used=5 spent=200   | quota_exceeded
quota = { calls = 5, spend = "0.0000002" }    | used=4 spent=200   | spend_exceeded
quota = { calls = 5, spend = "0.0000002" }    | used=4 spent=100   | allow

# The rate of the quota.
| wait=1               | allow
quota.rate = "5/s"                            |                    | allow
quota.rate = "5/s"                            | wait=1             | rate_exceeded
quota.rate = "5/s"                            | wait=max           | rate_exceeded
quota.rate = "300/m"                          | wait=200           | rate_exceeded
quota.rate = "1000/h"                         | wait=3600          | rate_exceeded
quota.calls = 5                               | wait=1             | allow
quota = { calls = 5, rate = "5/s" }           | used=5 wait=1      | quota_exceeded
quota = { calls = 5, rate = "5/s" }           | used=4 wait=1      | rate_exceeded
quota = { spend = "0.0000002", rate = "5/s" } | spent=200 wait=1   | spend_exceeded
quota = { spend = "0.0000002", rate = "5/s" } | spent=100 wait=1   | rate_exceeded
quota.rate = "5/s"                            | wait=1 unit=11     | price_above_limit
quota.rate = "5/s"                            | wait=1 block calls=0 | rate_exceeded
quota.rate = "5/s"                            | wait=1 remaining=0 | rate_exceeded

# Calls of blocks. A child may have calls left where its parent's siblings used them.
| first calls=0                           | call_limit_exceeded
| first calls=1                           | allow
| first calls=1 used=1                    | call_limit_exceeded
| block calls=0                           | call_limit_exceeded
| block calls=1                           | allow
| block calls=1 used=1                    | call_limit_exceeded
| block calls=10 used=9                   | allow
| block calls=10 used=max                 | call_limit_exceeded
| block used=max                          | allow
| block calls=5 used=5 block calls=5      | call_limit_exceeded
| block calls=5 block calls=5 used=5      | call_limit_exceeded
| block calls=5 used=4 block calls=1      | allow
quota.calls = 2 | used=2 block calls=0    | quota_exceeded
quota.calls = 2 | used=1 block calls=0    | call_limit_exceeded
quota.spend = "0.0000001" | spent=1 block calls=0 | spend_exceeded

# Budgets of blocks.
| first budget=99                         | budget_exceeded
| first budget=100                        | allow
| block budget=99                         | budget_exceeded
| block budget=100                        | allow
| block budget=150 spent=50               | allow
| block budget=150 spent=51               | budget_exceeded
| block budget=0                          | budget_exceeded
| hold=0 block budget=0                   | allow
| hold=0 block budget=0 spent=1           | budget_exceeded
| block budget=max spent=max              | budget_exceeded
| hold=max remaining=max block budget=max | allow
| block spent=max                         | allow
| block budget=100 spent=1 block budget=100 | budget_exceeded
| block budget=200 spent=100 block budget=100 | allow
| block budget=0 calls=0                  | call_limit_exceeded
# A budget is of the whole call, not of this grant's lines only.
| line=0 block budget=99                  | budget_exceeded

# The channel's money.
| remaining=100                           | allow
| remaining=99                            | channel_empty
| remaining=0                             | channel_empty
| remaining=0 hold=0                      | allow
| hold=1000                               | allow
| hold=1001                               | channel_empty
| hold=max                                | channel_empty
| line=0 remaining=99                     | channel_empty
| remaining=0 block budget=99             | budget_exceeded
| remaining=0 block budget=100            | channel_empty
"#;
