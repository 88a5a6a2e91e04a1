//! What is declared: purpose and territory.

pub(super) const ROWS: &str = r#"
# Where terms and certificate leave any purpose, none need be declared.
| purpose=a                                         | allow a
purposes.allow = ["a"]                |              | allow a
purposes.allow = ["a"]                | purpose=a    | allow a
purposes.allow = ["a"]                | purpose=b    | purpose_not_allowed
purposes.allow = ["a", "b"]           |              | purpose_required
purposes.allow = ["a", "b"]           | purpose=a    | allow a
purposes.allow = ["a", "b"]           | purpose=b    | allow b
purposes.allow = ["a", "b"]           | purpose=c    | purpose_not_allowed
purposes.deny = ["x"]                 |              | allow
purposes.deny = ["x"]                 | purpose=x    | purpose_not_allowed
purposes.deny = ["x"]                 | purpose=y    | allow y
purposes.deny = ["x", "y"]            | purpose=y    | purpose_not_allowed
purposes = { allow = ["a"], deny = ["x"] }      |           | allow a
purposes = { allow = ["a"], deny = ["x"] }      | purpose=x | purpose_not_allowed
purposes = { allow = ["a"], deny = ["x"] }      | purpose=y | purpose_not_allowed
purposes = { allow = ["a", "b"], deny = ["x"] } | purpose=b | allow b

# Blocks narrow the purposes; one that is left is declared by that.
| first purposes=a                                  | allow a
| block purposes=a                                  | allow a
| block purposes=a,b                                | purpose_required
| purpose=b block purposes=a,b                      | allow b
| purpose=b block purposes=a                        | purpose_not_allowed
| block purposes=a block purposes=b                 | purpose_not_allowed
| block purposes=a,b block purposes=b               | allow b
| block purposes=a,b block purposes=b,c             | allow b
| block purposes=a,b,d block purposes=b,c,d         | purpose_required
| purpose=d block purposes=a,b,d block purposes=b,c,d | allow d
| purpose=a block purposes=a,b,d block purposes=b,c,d | purpose_not_allowed
| first purposes=a block purposes=a,b               | allow a
purposes.allow = ["a", "b"] | block purposes=b,c              | allow b
purposes.allow = ["a", "b"] | block purposes=a,b              | purpose_required
purposes.allow = ["a", "b"] | purpose=a block purposes=b      | purpose_not_allowed
purposes.allow = ["a"]      | block purposes=b                | purpose_not_allowed
purposes.allow = ["a"]      | block purposes=a,b              | allow a
purposes.deny = ["b"]       | block purposes=a,b              | allow a
purposes.deny = ["b"]       | block purposes=b                | purpose_not_allowed
purposes.deny = ["a", "b"]  | block purposes=a,b              | purpose_not_allowed
purposes.deny = ["a", "b"]  | block purposes=a,b,c            | allow c
purposes.deny = ["b"]       | purpose=b block purposes=a,b    | purpose_not_allowed

# Where nothing restricts territories, none need be declared; one that is goes along.
| territory=PT | allow @PT
| territory=PT purpose=a | allow a @PT
territories.allow = ["PT"]             |              | territory_required
territories.allow = ["PT"]             | territory=PT | allow @PT
territories.allow = ["PT"]             | territory=FR | territory_not_allowed
territories.allow = ["FR", "NO", "PT"] | territory=FR | allow @FR
territories.allow = ["FR", "NO", "PT"] | territory=NO | allow @NO
territories.allow = ["FR", "NO", "PT"] | territory=ES | territory_not_allowed
territories.allow = ["FR", "NO", "PT"] |              | territory_required
territories.deny = ["AQ"]              |              | territory_required
territories.deny = ["AQ"]              | territory=AQ | territory_not_allowed
territories.deny = ["AQ"]              | territory=PT | allow @PT
territories.deny = ["AQ", "US"]        | territory=US | territory_not_allowed
territories = { allow = ["PT"], deny = ["AQ"] } | territory=PT | allow @PT
territories = { allow = ["PT"], deny = ["AQ"] } | territory=AQ | territory_not_allowed
territories = { allow = ["PT"], deny = ["AQ"] } | territory=FR | territory_not_allowed
territories = { allow = ["PT"], deny = ["AQ"] } |              | territory_required

# Both; the purpose answers first.
purposes.allow = ["a"];territories.allow = ["PT"]      | territory=PT           | allow a @PT
purposes.allow = ["a"];territories.allow = ["PT"]      | territory=FR           | territory_not_allowed
purposes.allow = ["a"];territories.allow = ["PT"]      | territory=FR purpose=b | purpose_not_allowed
purposes.allow = ["a", "b"];territories.allow = ["PT"] |                        | purpose_required
purposes.allow = ["a", "b"];territories.allow = ["PT"] | purpose=b              | territory_required
territories.allow = ["PT"] | territory=PT block purposes=a                      | allow a @PT
territories.allow = ["PT"] | unit=11                                            | territory_required
territories.allow = ["PT"] | territory=FR unit=11                               | territory_not_allowed
grants = ["call", "compose"];territories.allow = ["PT"] | right=compose territory=FR | territory_not_allowed
"#;
