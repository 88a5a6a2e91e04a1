//! A gateway that submits settlements of calls that nobody made, with its own good key.

use crate::common::text;
use crate::support::market::Market;
use ambar_base::{Digest, Encode, Height, Price, PublicKey, SecretKey, codec};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Actor, BatchSigners, Envelope, Settle, TRANSACTION_VERSION};
use ambar_node::client::{Client, ClientError, Credential};
use ambar_node::keys::KeyFile;
use ambar_receipt::{BatchHeader, Leaf, SignedBatch, Voucher, export};
use tokio::runtime::Runtime;

/// How much later an invented transaction still applies, blocks.
const EXPIRY_HEIGHTS: u64 = 1_000;

/// The key of a market's node, and a call to copy.
pub struct Liar {
    url: String,
    key: SecretKey,
    session: SecretKey,
    network: ambar_base::NetworkId,
    /// A call that was made.
    leaf: Leaf,
    /// The node's next batch. Its nonce is one higher: before it settled it said where it is reached,
    /// and it has done nothing else.
    next: u64,
    n: u64,
}

impl Liar {
    /// The node of a market after calls that have settled; copies the last one on a channel.
    pub fn of(market: &Market, channel: &str) -> Self {
        let status = market.person().json(&["status"]);
        let network = text(&status, "network");
        let open = |path: std::path::PathBuf| KeyFile::read(&path).unwrap().open(&path, None);
        let home = market.home();
        let session = home.join("sessions").join(&network).join(format!("{channel}.key"));
        let certificate = market.mint(channel, &[]);
        let rows = market.ask(&certificate, &format!("/api/v1/receipts?channel={channel}")).ok();
        let id = text(&rows[0], "id");
        let client = Client::new(market.url()).unwrap().with(Credential::Certificate(certificate));
        let file = Runtime::new().unwrap().block_on(client.receipt_proof(&id)).unwrap();
        let document = export::open(&file).unwrap().document;
        let leaf: Leaf = codec::decode(&document.leaf).unwrap();
        let batch: SignedBatch = codec::decode(&document.batch).unwrap();
        Self {
            url: market.url().to_owned(),
            key: open(home.join("node/key")).unwrap(),
            session: open(session).unwrap(),
            network: document.network(),
            n: leaf.n + 1,
            leaf,
            next: batch.header.number + 1,
        }
    }

    /// The key of the channel, which everybody knows.
    pub fn session(&self) -> PublicKey {
        self.session.public()
    }

    /// A voucher that the liar signs itself.
    pub fn forged(&self, total: u64) -> (PublicKey, Voucher) {
        let voucher = Voucher::sign(self.network, self.leaf.channel, Price(total), &self.key);
        (self.session(), voucher)
    }

    /// Settles calls that nobody made; the public code if the ledger refuses.
    pub fn settle(&mut self, calls: u64, vouchers: &[(PublicKey, Voucher)]) -> Result<(), String> {
        let invented = |at: u64| Leaf {
            n: self.n + at,
            call: Digest::of_parts(&[b"invented", &(self.n + at).to_be_bytes()]),
            ..self.leaf.clone()
        };
        let leaves: Vec<Leaf> = (0..calls).map(invented).collect();
        let gateway = self.leaf.lines[0].node;
        let header = BatchHeader::of(gateway, self.next, &leaves).unwrap();
        let of = (gateway, self.next);
        let nodes = header.nodes.iter().map(|lines| lines.sign(self.network, of, &self.key));
        let nodes = nodes.collect();
        let signers = BatchSigners::single(self.key.public(), &header);
        let signature = header.sign(self.network, &self.key);
        let of_channel = |(key, voucher): &(PublicKey, Voucher)| {
            (*key, Voucher { channel: self.leaf.channel, ..*voucher })
        };
        let vouchers = vouchers.iter().map(of_channel).collect();
        let batch = SignedBatch { header, signature, nodes };
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(gateway),
            nonce: self.next + 1,
            expires: Height(self.leaf.admitted.0 + EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations: vec![Operation::Settle(Settle { batch, signers, leaves, vouchers })],
        };
        let bytes = envelope.sign(&self.key).to_bytes();
        let client = Client::new(&self.url).unwrap();
        match Runtime::new().unwrap().block_on(client.submit(bytes)) {
            Ok(_) => {
                self.next += 1;
                self.n += calls;
                Ok(())
            }
            Err(ClientError::Refused { code, .. }) => Err(code.text().to_owned()),
            Err(error) => panic!("{error}"),
        }
    }
}
