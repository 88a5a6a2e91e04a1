//! An agent's own word for a call: a signature that no certificate replaces.
//!
//! A block of a certificate can want each call signed by one agent's key; on a channel in voucher
//! mode its session key signs each call likewise. The agent signs for
//! which certificate, which request, by which idempotency key, at what price at most and when.
//! Whoever has certificate and signature, and not the agent's key, can ask for the same answer
//! again until the signature is too old, and for nothing else: the key of the call is part of it,
//! so the call is charged once.

use crate::call::{CallError, CallRequest};
use crate::certificate::Opened;
use ambar_base::keys::Signed;
use ambar_base::{
    Digest, Domain, Encode, ErrorCode, Moment, NetworkId, Price, PublicKey, SecretKey, Signature,
    record,
};

/// How far the time of an agent's signature may lie from the gateway's, milliseconds.
pub const AUTHORISATION_AGE_MS_MAX: u64 = 60_000;

record! {
    /// What an agent signs.
    pub struct Authorisation {
        /// The network of the channel.
        pub network: NetworkId,
        /// The channel that pays.
        pub channel: u64,
        /// The certificate's holder, which is a digest of its last block.
        pub holder: Digest,
        /// The request: path and body, see [`fingerprint`].
        pub request: Digest,
        /// The idempotency key.
        pub key: String,
        /// The declared purpose.
        pub purpose: Option<String>,
        /// Most that the call may cost, nano-credit.
        pub price_max: Option<Price>,
        /// When it was signed.
        pub time: Moment,
        /// The salt of input and output, if the calling side has drawn one.
        pub salt: Option<Digest>,
    }
}

/// What makes a request what it is: its path, length-prefixed, and its body, byte by byte.
#[must_use]
pub fn fingerprint(path: &str, body: &[u8]) -> Digest {
    let length = (path.len() as u64).to_be_bytes();
    Digest::of_parts(&[&length, path.as_bytes(), body])
}

impl Authorisation {
    fn digest(&self) -> Digest {
        Domain::Authorisation.digest(&self.to_bytes())
    }

    /// Signs with the agent's key.
    #[must_use]
    pub fn sign(&self, agent: &SecretKey) -> Signature {
        agent.sign(Domain::Authorisation, self.network, &self.digest().0)
    }

    /// An agent's signature, to be checked.
    #[must_use]
    pub fn signed(&self, agent: &PublicKey, signature: &Signature) -> Signed {
        Signed::new(agent, Domain::Authorisation, self.network, &self.digest().0, signature)
    }
}

/// What a request carries of an agent's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentWord {
    /// The agent's key.
    pub agent: PublicKey,
    /// When it signed.
    pub time: Moment,
    /// The signature over the [`Authorisation`] that the request spells out.
    pub signature: Signature,
}

/// The agent that signed a request, if one did.
///
/// # Errors
/// `signature_invalid` if it is over something else, `clock_skew` if it is too old or not yet
/// due, `invalid_request` if the request has no key of its own.
pub(crate) fn agent_of(
    network: NetworkId,
    opened: &Opened,
    request: &CallRequest,
    now: Moment,
) -> Result<Option<PublicKey>, CallError> {
    let Some(AgentWord { agent, time, signature }) = request.agent else {
        return unsalted(request).map(|()| None);
    };
    let Some(key) = request.idempotency_key.clone() else {
        let message = "a call that an agent signs has an Idempotency-Key, which it signs too";
        return Err(CallError::new(ErrorCode::RequestInvalid, message).at("Idempotency-Key"));
    };
    let authorisation = Authorisation {
        network,
        channel: opened.channel,
        holder: opened.holder,
        request: request.fingerprint,
        key,
        purpose: request.purpose.clone(),
        price_max: request.price_max,
        time,
        salt: request.salt,
    };
    if authorisation.signed(&agent, &signature).verify().is_err() {
        let message = "the agent's signature is not over this call by this certificate";
        return Err(CallError::new(ErrorCode::SignatureInvalid, message));
    }
    let away = time.distance_ms(now);
    if away > AUTHORISATION_AGE_MS_MAX {
        let message = format!(
            "the agent signed {away} ms away from this gateway's time, at most \
             {AUTHORISATION_AGE_MS_MAX}: set the clock of the machine that signs"
        );
        return Err(CallError::new(ErrorCode::ClockSkew, message).at("Ambar-Agent-Time"));
    }
    Ok(Some(agent))
}

/// Nobody else than who signs the call chooses its salt.
fn unsalted(request: &CallRequest) -> Result<(), CallError> {
    if request.salt.is_none() {
        return Ok(());
    }
    let message = "a salt is signed with the call: send Ambar-Agent and its signature";
    Err(CallError::new(ErrorCode::RequestInvalid, message).at("Ambar-Salt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Job;
    use ambar_base::codec;
    use ambar_compute::EmbedJob;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
    const NOW: Moment = Moment(1_000_000);

    fn agent() -> SecretKey {
        SecretKey::from_seed(&[1; 32])
    }

    fn authorisation() -> Authorisation {
        Authorisation {
            network: NETWORK,
            channel: 7,
            holder: Digest::of(b"holder"),
            request: fingerprint("/v1/chat/completions", b"{}"),
            key: "k".into(),
            purpose: Some("research".into()),
            price_max: Some(Price(5)),
            time: NOW,
            salt: Some(Digest::of(b"salt")),
        }
    }

    fn opened() -> Opened {
        Opened {
            channel: 7,
            session: agent().public(),
            blocks: Vec::new(),
            holder: Digest::of(b"holder"),
            last: Signature([0; 64]),
        }
    }

    fn request() -> CallRequest {
        let signature = authorisation().sign(&agent());
        CallRequest {
            certificate: String::new(),
            capsule: String::new(),
            purpose: Some("research".into()),
            idempotency_key: Some("k".into()),
            price_max: Some(Price(5)),
            agent: Some(AgentWord { agent: agent().public(), time: NOW, signature }),
            salt: Some(Digest::of(b"salt")),
            voucher: None,
            retries: None,
            patience: None,
            urgency: crate::flow::Priority::Normal,
            fingerprint: fingerprint("/v1/chat/completions", b"{}"),
            job: Job::Embed(EmbedJob::default()),
        }
    }

    /// The bytes of this exemplar are for ever; a change needs a new version of the domain.
    #[test]
    fn conformance() {
        assert_eq!(
            authorisation().digest().to_string(),
            "651a6bd79d0b8953bc991581a4ffdc892b9859345686e2bdcc78714c0bd23ca1"
        );
        assert_eq!(codec::decode(&authorisation().to_bytes()), Ok(authorisation()));
    }

    #[test]
    fn a_signature_is_for_one_call() {
        assert_eq!(agent_of(NETWORK, &opened(), &request(), NOW), Ok(Some(agent().public())));
        let check = |code, request: CallRequest| {
            let refused = agent_of(NETWORK, &opened(), &request, NOW);
            assert_eq!(refused.unwrap_err().code, code);
        };
        let invalid = ErrorCode::SignatureInvalid;
        check(invalid, CallRequest { purpose: None, ..request() });
        check(invalid, CallRequest { price_max: Some(Price(6)), ..request() });
        check(invalid, CallRequest { salt: None, ..request() });
        check(invalid, CallRequest { salt: Some(Digest::of(b"another")), ..request() });
        check(invalid, CallRequest { idempotency_key: Some("l".into()), ..request() });
        check(invalid, CallRequest { fingerprint: Digest::of(b"other"), ..request() });
        let word = request().agent.unwrap();
        let other = SecretKey::from_seed(&[2; 32]).public();
        check(
            invalid,
            CallRequest { agent: Some(AgentWord { agent: other, ..word }), ..request() },
        );
        let later = AgentWord { time: Moment(NOW.0 + 1), ..word };
        check(invalid, CallRequest { agent: Some(later), ..request() });
        check(ErrorCode::RequestInvalid, CallRequest { idempotency_key: None, ..request() });
        let foreign = Opened { holder: Digest::of(b"another"), ..opened() };
        assert!(agent_of(NETWORK, &foreign, &request(), NOW).is_err());
        assert!(agent_of(NetworkId(Digest([4; 32])), &opened(), &request(), NOW).is_err());
        let unsigned = CallRequest { agent: None, ..request() };
        check(ErrorCode::RequestInvalid, unsigned.clone());
        let unsigned = CallRequest { salt: None, ..unsigned };
        assert_eq!(agent_of(NETWORK, &opened(), &unsigned, NOW), Ok(None));
    }

    #[test]
    fn an_old_signature_is_worth_nothing() {
        let at = |now: u64| agent_of(NETWORK, &opened(), &request(), Moment(now));
        assert!(at(NOW.0 + AUTHORISATION_AGE_MS_MAX).is_ok());
        let beyond = AUTHORISATION_AGE_MS_MAX + 1;
        for time in [NOW.0 + beyond, NOW.0 - beyond] {
            let refused = at(time).unwrap_err();
            assert_eq!((refused.code, refused.retry), (ErrorCode::ClockSkew, false));
            assert_eq!(refused.param.as_deref(), Some("Ambar-Agent-Time"));
            assert!(refused.message.contains("the machine that signs"), "{refused}");
        }
    }
}
