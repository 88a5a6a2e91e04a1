//! The mark that keeps a key from voting twice.

use ambar_chain::mark::{FileMark, VoteMark as _, may_vote};
use std::fs;

#[test]
fn a_key_votes_again_only_with_its_votes() {
    let directory = tempfile::tempdir().unwrap();
    let mark = FileMark(directory.path().join("voted"));
    assert!(may_vote(&mark, 3, false).unwrap(), "the first time");
    mark.raise(3).unwrap();
    assert!(may_vote(&mark, 3, true).unwrap(), "with the votes");
    assert!(!may_vote(&mark, 3, false).unwrap(), "without them");
    assert!(!may_vote(&mark, 2, false).unwrap(), "earlier epochs as well");
    assert!(may_vote(&mark, 4, false).unwrap(), "in a later epoch");
    mark.raise(4).unwrap();
    assert_eq!(mark.newest().unwrap(), Some(4));
}

#[test]
fn a_damaged_mark_is_no_mark() {
    let directory = tempfile::tempdir().unwrap();
    let mark = FileMark(directory.path().join("voted"));
    fs::write(&mark.0, "7").unwrap();
    assert!(mark.newest().unwrap_err().to_string().contains("voted is damaged"));
    assert!(may_vote(&mark, 9, false).is_err());
}
