//! The bytes of keys are for ever, as those of objects are.

use ambar_base::{AccountId, Cid, Digest, Encode, Height, SecretKey, codec};
use ambar_ledger::Key;

/// Keys decide where objects lie: one of each.
#[test]
fn keys_of_the_state() {
    let key = || SecretKey::from_seed(&[1; 32]).public();
    let (pair, cid) = ((1, 300), Cid::of(b"x"));
    let keys = [
        Key::Parameters,
        Key::Numbers,
        Key::Issued,
        Key::Account(300),
        Key::Balance(300),
        Key::AccountNumber(AccountId::reserved("a")),
        Key::FirstKey(key()),
        Key::Name("name".into()),
        Key::Version(300),
        Key::VersionNumber(cid),
        Key::Manifest(300),
        Key::Line(300),
        Key::Royalty(300),
        Key::Datanet(300),
        Key::Terms(cid),
        Key::Grant(300),
        Key::Quota(pair),
        Key::Channel(300),
        Key::Revocations(300),
        Key::Lease((1, (2, 300))),
        Key::Node(300),
        Key::NodeNumber(key()),
        Key::Serve(pair),
        Key::Tariff(300),
        Key::Agenda(Height(300)),
        Key::Time(Height(300)),
        Key::Batch(pair),
        Key::Facts(pair),
        Key::Calls(pair),
        Key::Roster,
        Key::Validator(300),
        Key::ValidatorNumber(key()),
        Key::ValidatorOf(300),
    ];
    let (keys, expect) =
        (keys.to_vec(), "0866ec3e48db31670c41fc26978af3a691d154129a4b3b26c4616f6d4edbc895");
    let bytes = keys.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect);
    assert_eq!(codec::decode::<Vec<Key>>(&bytes).as_ref(), Ok(&keys));
}
