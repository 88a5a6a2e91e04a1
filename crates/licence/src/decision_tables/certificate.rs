//! The certificate: expiry, agent, depth, capsules.

pub(super) const ROWS: &str = r#"
# A block is valid up to and at its last moment.
| first expires=1000000000                | allow
| first expires=999999999                 | certificate_expired
| first expires=0                         | certificate_expired
| first expires=max                       | allow
| block                                   | allow
| block expires=1000000000                | allow
| block expires=1000000001                | allow
| block expires=999999999                 | certificate_expired
| block block expires=5                   | certificate_expired
| block expires=5 block                   | certificate_expired
| first expires=max block expires=0       | certificate_expired
| first expires=0 block expires=max       | certificate_expired
| now=999999999 block expires=999999999   | allow
| noblocks                                | allow

# `signed` is the agent whose key has signed the call: one, for whatever blocks ask.
| first agent                             | agent_signature_required
| block agent                             | agent_signature_required
| first agent block agent                 | agent_signature_required
| block agent block expires=0             | certificate_expired
| block expires=0 block agent             | certificate_expired
| block agent capsules=2                  | agent_signature_required
| signed                                  | allow
| signed first agent                      | allow
| signed block agent                      | allow
| signed first agent block agent          | allow
| signed=2 block agent                    | agent_signature_required
| signed first agent=2                    | agent_signature_required
| signed first agent=2 block agent        | agent_signature_required
| signed=2 first agent=2 block agent=2    | allow
| signed block agent expires=0            | certificate_expired
| signed block agent capsules=2           | capsule_not_allowed

# Blocks after the first are the depth. Terms that say nothing allow fifteen.
delegation.depth = 0 |                    | allow
delegation.depth = 0 | noblocks           | allow
delegation.depth = 0 | block              | delegation_too_deep
delegation.depth = 1 | block              | allow
delegation.depth = 1 | block block        | delegation_too_deep
delegation.depth = 2 | block block        | allow
delegation.depth = 2 | block block block  | delegation_too_deep
delegation.depth = 2 |                    | allow
| block block block block block block block block block block block block block block block | allow
| block block block block block block block block block block block block block block block block | delegation_too_deep
delegation.depth = 0 | block agent        | agent_signature_required
delegation.depth = 0 | block expires=0    | certificate_expired
delegation.depth = 0 | block capsules=2   | delegation_too_deep
delegation.depth = 0 | block purposes=a   | delegation_too_deep
delegation.depth = 0 | nocapsule block    | delegation_too_deep

# The channel and every block must allow the capsule, which is 1.
| nocapsule                               | capsule_not_allowed
| nocapsule noblocks                      | capsule_not_allowed
| nocapsule block capsules=1              | capsule_not_allowed
| capsule=3                               | allow
| first capsules=1                        | allow
| first capsules=2                        | capsule_not_allowed
| block capsules=1                        | allow
| block capsules=0,1,2                    | allow
| block capsules=2                        | capsule_not_allowed
| capsule=2 block capsules=2              | allow
| capsule=2 block capsules=1              | capsule_not_allowed
| first capsules=1,2 block capsules=1     | allow
| first capsules=1 block capsules=2       | capsule_not_allowed
| block capsules=1,2 block capsules=2,3   | capsule_not_allowed
| block capsules=1,2 block capsules=1,3   | allow
| block capsules=2 block capsules=1       | capsule_not_allowed
purposes.allow = ["a"]   | purpose=b block capsules=2 | capsule_not_allowed
territories.deny = ["PT"] | block capsules=2          | capsule_not_allowed
"#;
