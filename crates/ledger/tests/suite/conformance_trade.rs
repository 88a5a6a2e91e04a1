//! The bytes of what is asked and kept of royalty lines for sale and accounts that are
//! recovered are for ever, as those in `conformance.rs` are.

use ambar_base::{
    AccountId, Decode, Digest, Encode, Height, KeySet, Moment, NetworkId, Price, SecretKey, codec,
};
use ambar_ledger::Key;
use ambar_ledger::object::{Recovery, RoyaltyOffer};
use ambar_ledger::result::{OperationResult, SaleResult};
use ambar_ledger::transaction::{BeginRecovery, BuyRoyalty, OfferRoyalty, Operation};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn keys() -> KeySet {
    let mut keys = vec![key(1).public(), key(2).public()];
    keys.sort_unstable();
    KeySet { keys, threshold: 2 }
}

fn account() -> AccountId {
    AccountId::reserved("a")
}

fn recovery() -> BeginRecovery {
    let record = BeginRecovery {
        account: account(),
        nonce: 300,
        recovery: keys(),
        keys: KeySet::single(key(3).public()),
        next: Some(keys().digest()),
        signatures: Vec::new(),
    };
    record.sign(NetworkId(Digest::ZERO), &[key(1), key(2)])
}

#[test]
fn objects() {
    let offer = RoyaltyOffer { price: Price(300), to: Some(7), expires: Moment(1_800_000_000_000) };
    check(&offer, "d82223c93675bc4bcb5ffa55b257815d051e530fdaeeb86b1917ab5144a59297");
    let keys = KeySet::single(key(3).public());
    check(
        &Recovery {
            keys,
            next: Some(Digest::of(b"next")),
            from: Moment(300),
            from_height: Height(400),
        },
        "2e3ada92632455433e39b3f3deae92d331e41971cfb3e57c1bbd4bdd2bdcedd2",
    );
    check(
        &vec![Key::Recovery(300), Key::RoyaltyOffer(300)],
        "77370db47dcfe21fd7aaec3a1faf72b361b9002d14ad648b6f9d72f83c7334c4",
    );
}

#[test]
fn operations() {
    let (price, expires) = (Price(300), Moment(1_800_000_000_000));
    let offer = OfferRoyalty { royalty: 300, price, to: Some(account()), expires };
    let checks = [
        (
            Operation::OfferRoyalty(offer),
            "f17b38e017d131b4478c73b2b1bfe1cae5b95a4492c496c901b9252017f93101",
        ),
        (
            Operation::WithdrawOffer(300),
            "c51b911980365fdc3640486ebe865fe13d0ec2cbf600494ae0ee52b8cc355bc4",
        ),
        (
            Operation::BuyRoyalty(BuyRoyalty { royalty: 300, price }),
            "990d74e4572779f47e5d707c200527996715811bc1dcdbd3c885396192331bd5",
        ),
        (
            Operation::BeginRecovery(recovery()),
            "4d480714fc518e8de6f84f764d50cbca42da8fabfb7d0d878dca08aaa0ad8db2",
        ),
        (
            Operation::CancelRecovery,
            "e77b9a9ae9e30b0dbdb6f510a264ef9de781501d7b6b92ae89eb059c5ab743db",
        ),
        (
            Operation::FinishRecovery(account()),
            "8bd631023796dd11ec2f0b30660e0439740c40b571aed8681432bc0868706c34",
        ),
    ];
    for (operation, expect) in checks {
        check(&operation, expect);
    }
    check(
        &OperationResult::Sold(SaleResult { royalty: 300, seller: account() }),
        "01acc2128eb1ed4bf442999920bdeff59d044db197ee402b623adf1d7066d469",
    );
}
