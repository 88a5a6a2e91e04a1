//! Who may end a certificate, and what the ledger remembers of it.

use crate::world::key;
use crate::world::story::{Story, story};
use ambar_base::{Digest, Encode, ErrorCode, Signature};
use ambar_ledger::object::Revocations;
use ambar_ledger::query::State;
use ambar_ledger::transaction::RevokeCertificate;
use ambar_ledger::{Key, Operation};

fn revoke(channel: u64, block: u8) -> Operation {
    Operation::RevokeCertificate(RevokeCertificate { channel, block: Signature([block; 64]) })
}

fn revoked(story: &Story) -> Vec<Digest> {
    let found: Option<Revocations> =
        story.world.ledger.object(&Key::Revocations(story.channel)).unwrap();
    found.unwrap_or_default().blocks.iter().map(|one| one.block).collect()
}

fn id(block: u8) -> Digest {
    Digest::of(&[block; 64])
}

#[test]
fn payer_and_gateway_end_certificates_and_nobody_else() {
    let mut story = story();
    story.world.node("developer");
    for stranger in ["author", "operator", "developer"] {
        let code = story.world.refused(stranger, revoke(story.channel, 1));
        assert_eq!(code, ErrorCode::NotAuthorised, "{stranger}");
    }
    let code = story.world.refused("caller", revoke(story.channel + 9, 1));
    assert_eq!(code, ErrorCode::ChannelUnknown);
    assert!(revoked(&story).is_empty());

    story.world.act("caller", vec![revoke(story.channel, 2)]).unwrap();
    let gateway = story.world.of_node(story.node, revoke(story.channel, 1));
    let gateway = gateway.sign(&key("operator's node")).to_bytes();
    story.world.apply(&gateway).unwrap();
    let mut expect = vec![id(1), id(2)];
    expect.sort_unstable();
    assert_eq!(revoked(&story), expect);

    let other = story.world.node("author");
    let stranger = story.world.of_node(other, revoke(story.channel, 3));
    let refused = story.world.apply(&stranger.sign(&key("author's node")).to_bytes()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAuthorised, "a gateway ends its own channels' only");
}

#[test]
fn a_revocation_stays_as_it_was_and_goes_with_its_channel() {
    let mut story = story();
    story.world.act("caller", vec![revoke(story.channel, 1)]).unwrap();
    let key = Key::Revocations(story.channel);
    let first: Revocations = story.world.ledger.object(&key).unwrap().unwrap();
    assert_eq!(first.blocks[0].height, story.world.ledger.height().after(1));
    assert!(first.names(&id(1)) && !first.names(&id(2)));
    story.world.block(1000);
    story.world.act("caller", vec![revoke(story.channel, 1)]).unwrap();
    assert_eq!(story.world.ledger.object::<Revocations>(&key).unwrap(), Some(first));

    story.world.act("caller", vec![Operation::CloseChannel(story.channel)]).unwrap();
    let window = story.world.genesis.parameters.settlement_window;
    (0..=window).for_each(|_| story.world.block(1000));
    assert_eq!(story.world.ledger.object::<Revocations>(&key).unwrap(), None);
    story.world.ledger.check().unwrap();
}
