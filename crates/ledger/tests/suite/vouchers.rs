//! A gateway settles what the payer's side has signed for, and not a nano-credit more.
use crate::world::key;
use crate::world::story::{Story, story};
use ambar_base::{Amount, Encode, ErrorCode, NetworkId, Price, PublicKey, SecretKey};
use ambar_ledger::transaction::OPERATION_SIGNATURES_MAX;
use ambar_ledger::{Admitted, Refusal};
use ambar_receipt::{Leaf, Voucher};
use proptest::prelude::*;

/// A story whose channel is in voucher mode.
struct Mode {
    story: Story,
    /// The channel without vouchers, which pays as gateways say.
    plain: u64,
    price: u64,
}

fn mode() -> Mode {
    let mut story = story();
    let plain = story.channel;
    let grant = story.parts[0].1;
    story.channel = story.world.channel_in("caller", "operator", vec![grant], Price::CREDIT, true);
    let price = story.leaf(0).price().unwrap().0;
    Mode { story, plain, price }
}

impl Mode {
    fn session() -> SecretKey {
        key("caller's session")
    }

    fn voucher(&self, total: u64) -> (PublicKey, Voucher) {
        self.voucher_of(self.story.channel, total)
    }

    fn voucher_of(&self, channel: u64, total: u64) -> (PublicKey, Voucher) {
        let session = Self::session();
        let network = self.story.world.network;
        (session.public(), Voucher::sign(network, channel, Price(total), &session))
    }

    fn leaves(&self, numbers: std::ops::Range<u64>) -> Vec<Leaf> {
        numbers.map(|n| self.story.leaf(n)).collect()
    }

    fn settle(
        &mut self,
        leaves: Vec<Leaf>,
        vouchers: Vec<(PublicKey, Voucher)>,
    ) -> Result<(), Refusal> {
        let (world, node) = (&mut self.story.world, self.story.node);
        let envelope = world.settlement_with("operator", node, leaves, vouchers);
        world.apply(&envelope.sign(&key("operator's node")).to_bytes()).map(drop)
    }

    fn refused(&mut self, leaves: Vec<Leaf>, vouchers: Vec<(PublicKey, Voucher)>) -> ErrorCode {
        self.settle(leaves, vouchers).unwrap_err().code
    }

    /// What is spent and what vouchers cover, nano-credit.
    fn state(&self) -> (u64, u64) {
        let channel = self.story.world.channel_state(self.story.channel);
        let spent = u64::try_from(channel.spent.0 / u128::from(Price::CREDIT.0)).unwrap();
        assert_eq!(channel.spent, Amount::from(Price(spent)));
        (spent, channel.vouched.unwrap().0)
    }
}

#[test]
fn nothing_settles_beyond_the_voucher() {
    let mut mode = mode();
    let price = mode.price;
    assert_eq!(mode.state(), (0, 0));
    let one = mode.leaves(0..1);
    assert_eq!(mode.refused(one.clone(), vec![]), ErrorCode::VoucherExceeded);
    let short = mode.voucher(price - 1);
    assert_eq!(mode.refused(one.clone(), vec![short]), ErrorCode::VoucherExceeded);
    let exact = mode.voucher(price);
    mode.settle(one, vec![exact]).unwrap();
    assert_eq!(mode.state(), (price, price));
    // What is invented needs a voucher too: neither the old one nor none will do.
    let invented = mode.leaves(1..2);
    assert_eq!(mode.refused(invented.clone(), vec![exact]), ErrorCode::VoucherExceeded);
    assert_eq!(mode.refused(invented.clone(), vec![]), ErrorCode::VoucherExceeded);
    let two = mode.leaves(1..3);
    let for_one = mode.voucher(2 * price);
    assert_eq!(mode.refused(two, vec![for_one]), ErrorCode::VoucherExceeded);
    mode.settle(invented, vec![for_one]).unwrap();
    assert_eq!(mode.state(), (2 * price, 2 * price));
}

#[test]
fn what_is_vouched_for_settles_later_without_another_voucher() {
    let mut mode = mode();
    let price = mode.price;
    let high = mode.voucher(3 * price);
    let (first, second, third) = (mode.leaves(0..1), mode.leaves(1..2), mode.leaves(2..3));
    mode.settle(first, vec![high]).unwrap();
    mode.settle(second, vec![]).unwrap();
    // A lower one that is shown again changes nothing.
    let low = mode.voucher(price);
    mode.settle(third, vec![low]).unwrap();
    assert_eq!(mode.state(), (3 * price, 3 * price));
}

#[test]
fn a_void_leaf_needs_no_voucher() {
    let mut mode = mode();
    let (channel, world) = (mode.story.channel, &mode.story.world);
    let void = Leaf::void(channel, 0, world.ledger.height(), world.ledger.time());
    mode.settle(vec![void], vec![]).unwrap();
    assert_eq!(mode.state(), (0, 0));
}

#[test]
fn a_voucher_is_of_this_channel_key_and_network() {
    let mut mode = mode();
    let (channel, plain, price) = (mode.story.channel, mode.plain, mode.price);
    let here = mode.story.world.network;
    let elsewhere = NetworkId(ambar_base::Digest::of(b"another network"));
    let leaves = mode.leaves(0..1);
    let total = Price(price);
    let (session, stranger) = (Mode::session(), key("stranger"));
    let check = |mode: &mut Mode, voucher: (PublicKey, Voucher), expect: ErrorCode| {
        assert_eq!(mode.refused(leaves.clone(), vec![voucher]), expect);
    };
    let signed = |network, channel, by: &SecretKey| Voucher::sign(network, channel, total, by);
    let good = signed(here, channel, &session);
    let invalid = ErrorCode::SignatureInvalid;
    check(&mut mode, (session.public(), signed(elsewhere, channel, &session)), invalid);
    check(&mut mode, (session.public(), signed(here, channel, &stranger)), invalid);
    check(&mut mode, (stranger.public(), signed(here, channel, &stranger)), invalid);
    check(&mut mode, (session.public(), Voucher { total: Price(price + 1), ..good }), invalid);
    let of_another = signed(here, channel + 7, &session);
    check(&mut mode, (session.public(), Voucher { channel, ..of_another }), invalid);
    // No leaf of the batch is of that channel, or it takes no vouchers.
    check(&mut mode, (session.public(), of_another), ErrorCode::TransactionInvalid);
    let plain_leaf = Leaf { channel: plain, ..leaves[0].clone() };
    let for_plain = (session.public(), signed(here, plain, &session));
    assert_eq!(mode.refused(vec![plain_leaf], vec![for_plain]), ErrorCode::TransactionInvalid);
    mode.settle(leaves, vec![(session.public(), good)]).unwrap();
}

#[test]
fn a_batch_has_one_voucher_for_a_channel() {
    let mut mode = mode();
    let grant = mode.story.parts[0].1;
    let second =
        mode.story.world.channel_in("caller", "operator", vec![grant], Price::CREDIT, true);
    let price = mode.price;
    let other =
        |n| Leaf { channel: second, call: ambar_base::Digest::of(&[n]), ..mode.story.leaf(0) };
    let leaves = vec![mode.story.leaf(0), other(1)];
    let (one, two) = (mode.voucher(price), mode.voucher_of(second, price));
    let twice = vec![one, mode.voucher(2 * price)];
    assert_eq!(mode.refused(leaves.clone(), twice), ErrorCode::TransactionInvalid);
    assert_eq!(mode.refused(leaves.clone(), vec![two, one]), ErrorCode::TransactionInvalid);
    assert_eq!(mode.refused(leaves.clone(), vec![one]), ErrorCode::VoucherExceeded);
    mode.settle(leaves, vec![one, two]).unwrap();
}

#[test]
fn vouchers_count_as_signatures() {
    let mode = mode();
    let code = |vouchers: usize| {
        let vouchers = vec![mode.voucher(1); vouchers];
        let (world, node) = (&mode.story.world, mode.story.node);
        let envelope = world.settlement_with("operator", node, mode.leaves(0..1), vouchers);
        let bytes = envelope.sign(&key("operator's node")).to_bytes();
        Admitted::of(world.network, &bytes).map(drop).map_err(|refusal| refusal.code)
    };
    // The gateway's and one node's signature are two of them.
    assert_eq!(code(OPERATION_SIGNATURES_MAX - 2), Ok(()));
    assert_eq!(code(OPERATION_SIGNATURES_MAX - 1), Err(ErrorCode::TransactionInvalid));
}

#[test]
fn what_is_left_comes_back() {
    let mut mode = mode();
    let price = mode.price;
    let high = mode.voucher(5 * price);
    let leaves = mode.leaves(0..2);
    mode.settle(leaves, vec![high]).unwrap();
    let caller = mode.story.world.id("caller");
    let before = mode.story.world.balance(caller);
    let close = ambar_ledger::Operation::CloseChannel(mode.story.channel);
    mode.story.world.act("caller", vec![close]).unwrap();
    let window = mode.story.world.genesis.parameters.settlement_window;
    (0..window + 2).for_each(|_| mode.story.world.block(1));
    let gained = mode.story.world.balance(caller).0 - before.0;
    let left = Amount::from(Price(Price::CREDIT.0 - 2 * price)).0;
    assert!(gained.abs_diff(left) < Amount::from(Price(1_000_000)).0, "{gained} of {left}");
    mode.story.world.ledger.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a gateway submits with whatever vouchers it has seen, the channel never spends
    /// more than the highest of them, and the books balance after each step (`World::apply`
    /// checks the whole state).
    #[test]
    fn a_channel_never_spends_more_than_the_highest_voucher(
        steps in prop::collection::vec((1_u64..4, prop::option::of(0_u64..8)), 1..7),
    ) {
        let mut mode = mode();
        let price = mode.price;
        let (mut next, mut highest, mut spent) = (0, 0, 0);
        for (count, voucher) in steps {
            let leaves = mode.leaves(next..next + count);
            let total = voucher.map(|calls| calls * price);
            let vouchers = total.map(|total| mode.voucher(total)).into_iter().collect();
            let allowed = spent + count * price <= highest.max(total.unwrap_or_default());
            match mode.settle(leaves, vouchers) {
                Ok(()) => {
                    prop_assert!(allowed);
                    highest = highest.max(total.unwrap_or_default());
                    spent += count * price;
                    next += count;
                }
                Err(refusal) => {
                    prop_assert!(!allowed);
                    prop_assert_eq!(refusal.code, ErrorCode::VoucherExceeded);
                }
            }
            prop_assert_eq!(mode.state(), (spent, highest));
        }
    }
}
