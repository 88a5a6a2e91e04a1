//! The network of a committee of many: mutually authenticated, encrypted connections between
//! the validators' keys.

use crate::around::{Hearing, Lines, Speaking};
use crate::network::{CHANNELS, Channels};
use crate::types::{Key, key};
use crate::votes::private;
use crate::wire::message_bytes_max;
use ambar_base::Domain;
use ambar_consensus::settings::{PeerSettings, Settings};
use commonware_codec::Error as CodecError;
use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_p2p::authenticated::discovery::{self, Config, Network, Oracle};
use commonware_runtime::{Handle, Quota, Supervisor as _, tokio::Context};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// Messages a second that one peer may send on each channel, in their order.
const RATES: [u32; CHANNELS as usize] = [512, 256, 128, 128, 128, 256, 64];
/// How many of them at once. Together with the number of peers they bound the memory for
/// messages, which is set aside at the start: half a kilobyte for each.
const BURSTS: [u32; CHANNELS as usize] = [64, 64, 32, 32, 32, 128, 16];
/// Epochs whose peers are kept: the present one and the one before, whose last votes may still be
/// on their way.
const EPOCHS_TRACKED: NonZeroUsize = NZUsize!(2);

/// Peers for which there is room besides twice those that are known at the start.
const PEERS_SPARE: usize = 4;

type Handshake = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;
/// The ends of a channel.
pub(crate) type Sender = discovery::Sender<Key, Context>;
pub(crate) type Receiver = discovery::Receiver<Key>;

/// A running network.
pub(crate) struct Peers {
    pub(crate) oracle: Oracle<Key>,
    pub(crate) channels: Lines,
    pub(crate) task: Handle<()>,
}

/// Room for the peers of an epoch. A committee grows by a third at most from one epoch to the
/// next; an engine that meets a larger one than fits is started again, with room for it.
fn peers_max(seats: usize, peers: &PeerSettings) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(2 * (seats + peers.known.len()) + PEERS_SPARE)
}

fn config(
    settings: &Settings,
    peers: &PeerSettings,
    seats: usize,
) -> Result<Config<Handshake>, CodecError> {
    let handshake = Handshake::new(
        Sake {
            signer: private(&settings.key)?,
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let known = peers.known.iter().map(|(peer, at)| Ok((key(peer)?, (*at).into())));
    let config = Config::recommended(
        handshake,
        &Domain::Peer.message(settings.rules.network(), b""),
        peers.listen,
        peers.advertise,
        known.collect::<Result<_, CodecError>>()?,
        peers_max(seats, peers),
        message_bytes_max(&settings.rules.block),
        NZUsize!(1_024),
    );
    Ok(Config {
        // Validators of one operator may share a machine or a private network.
        allow_private_ips: true,
        allow_dns: false,
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(16)),
        peer_connection_cooldown: Duration::from_secs(1),
        dial_frequency: Duration::from_millis(500),
        gossip_bit_vec_frequency: Duration::from_secs(10),
        tracked_peer_sets: EPOCHS_TRACKED,
        ..config
    })
}

/// How fast a peer may send on a channel, and how much at once.
fn quota(channel: u64) -> Quota {
    let place = usize::try_from(channel).unwrap_or(usize::MAX);
    let of = |numbers: &[u32]| numbers.get(place).copied().and_then(NonZeroU32::new);
    let number = |numbers| of(numbers).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(number(&RATES)).allow_burst(number(&BURSTS))
}

/// Opens the network.
pub(crate) fn start(
    context: &Context,
    settings: &Settings,
    peers: &PeerSettings,
    seats: usize,
) -> Result<Peers, CodecError> {
    let config = config(settings, peers, seats)?;
    let (mut network, oracle) = Network::new(context.child("network"), config);
    let channels = Channels::open(|number| {
        let (sender, receiver) = network.register(number, quota(number));
        (Speaking(Some(sender)), Hearing(Some(receiver)))
    });
    Ok(Peers { oracle, channels, task: network.start() })
}
