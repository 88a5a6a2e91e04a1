//! Contributor tables, as they are published with datasets.

use crate::{Reach, Target, promise};
use ambar_base::{AccountId, Cid, Digest};
use ambar_capsule::contributors::{
    CONTRIBUTOR_NAME_BYTES_MAX, CONTRIBUTOR_TABLE_BYTES_MAX, CONTRIBUTORS_MAX,
};
use ambar_capsule::{Contributor, ContributorTable};

pub(super) const TARGET: Target = Target { name: "contributors", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let account = |name: &str| Contributor::Account(AccountId(Digest::of(name.as_bytes())));
    let name = |name: &str| Contributor::Name(name.to_owned());
    let tables = [
        vec![name("Ada")],
        vec![account("a"), account("b"), name("Ada"), name("Grace Ólafsdóttir")],
        (0..40).map(|i| name(&format!("person {i:02}"))).collect(),
    ];
    let table = |list: Vec<_>| ContributorTable::new(list.into_iter().collect());
    tables.into_iter().map(|list| table(list).expect("a good table").encode()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(
        input,
        CONTRIBUTOR_TABLE_BYTES_MAX,
        ContributorTable::decode,
        ContributorTable::encode,
    );
    let Some(table) = decoded else { return Reach::Refused };
    assert!((1..=CONTRIBUTORS_MAX).contains(&table.entries().len()), "the limit of entries");
    for (index, contributor) in table.entries().iter().enumerate() {
        assert_eq!(table.index(contributor), Some(index as u32), "an entry is found");
        let _ = contributor.account(&Cid::of(b"datanet"));
        if let Contributor::Name(name) = contributor {
            assert!(name.len() <= CONTRIBUTOR_NAME_BYTES_MAX, "the limit of names");
        }
    }
    Reach::Used
}
