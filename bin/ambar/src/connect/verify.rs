//! A call's receipt, believed as far as it proves itself: the file is verified as
//! `ambar receipt verify` does it, and compared with what was asked and what arrived.

use ambar_base::{Checkpoint, Digest, Price, codec};
use ambar_receipt::{Details, Leaf, call_id, export, opening};

/// What a call's receipt has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The channel.
    pub channel: u64,
    /// The certificate's holder.
    pub holder: Digest,
    /// The call's idempotency key.
    pub key: String,
    /// Most that it may cost.
    pub price_max: Price,
    /// The salt of input and output.
    pub salt: Digest,
    /// What was asked; nothing if a process that has ended asked it.
    pub input: Option<String>,
    /// What arrived; nothing if not all of it did, because this side left.
    pub output: Option<Vec<u8>>,
}

/// What a verified receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The sequence number in the channel.
    pub n: u64,
    /// What the call cost.
    pub price: Price,
}

impl Expected {
    /// The identity of the call.
    pub fn call(&self) -> Digest {
        call_id(self.channel, &self.holder, &self.key)
    }

    /// Checks a receipt's file; says what does not match.
    pub fn check(&self, file: &[u8], trusted: &Checkpoint) -> Result<Proven, String> {
        let report = ambar_receipt::verify(file, Some(trusted));
        if !report.ok {
            let failed = report.checks.iter().find(|check| !check.ok);
            let why = failed.map_or(report.summary.as_str(), |check| check.detail.as_str());
            return Err(format!("the receipt does not verify: {why}"));
        }
        let sealed = export::open(file).map_err(|error| error.to_string())?;
        let document = sealed.document;
        if document.network() != trusted.network {
            return Err("the receipt is of another network".into());
        }
        let leaf: Leaf = codec::decode(&document.leaf).map_err(|error| error.to_string())?;
        let details = document.details.ok_or("the receipt does not show what was called")?;
        let details: Details = codec::decode(&details).map_err(|error| error.to_string())?;
        self.compare(&leaf, &details)
    }

    /// Compares what a verified receipt says with what was asked and what arrived.
    fn compare(&self, leaf: &Leaf, details: &Details) -> Result<Proven, String> {
        if (leaf.channel, leaf.call) != (self.channel, self.call()) {
            return Err("the receipt is of another call".into());
        }
        if details.digest() != leaf.details || details.holder != self.holder {
            return Err("the receipt's details are of another call".into());
        }
        let price = leaf.price().ok_or("the receipt's price overflows")?;
        if price > self.price_max {
            let limit = self.price_max;
            return Err(format!(
                "the receipt asks for {price} credits, at most {limit} were allowed"
            ));
        }
        let opens = |bytes: &[u8], digest| opening(&self.salt.0, bytes) == digest;
        if self.input.as_ref().is_some_and(|input| !opens(input.as_bytes(), details.input)) {
            return Err("the receipt is not for what was asked".into());
        }
        if self.output.as_ref().is_some_and(|output| !opens(output, details.output)) {
            return Err("the receipt is not for the answer that arrived".into());
        }
        Ok(Proven { n: leaf.n, price })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Height, Moment};
    use ambar_receipt::CallOutcome;

    fn expected() -> Expected {
        Expected {
            channel: 3,
            holder: Digest::of(b"holder"),
            key: "key".into(),
            price_max: Price(10),
            salt: Digest::of(b"salt"),
            input: Some("question".into()),
            output: Some(b"answer".to_vec()),
        }
    }

    fn details() -> Details {
        let open = |bytes: &[u8]| opening(&Digest::of(b"salt").0, bytes);
        let (input, output) = (open(b"question"), open(b"answer"));
        Details {
            holder: Digest::of(b"holder"),
            input,
            output,
            decision: Digest::ZERO,
            wall_ms: 5,
            routing: Vec::new(),
            counts: None,
        }
    }

    fn leaf() -> Leaf {
        Leaf {
            call: expected().call(),
            outcome: CallOutcome::Full,
            network_fee: Price(10),
            details: details().digest(),
            ..Leaf::void(3, 7, Height(1), Moment(1))
        }
    }

    #[test]
    fn a_receipt_is_for_this_call_price_question_and_answer() {
        let good = Ok(Proven { n: 7, price: Price(10) });
        assert_eq!(expected().compare(&leaf(), &details()), good);
        let left = Expected { output: None, input: None, ..expected() };
        assert_eq!(left.compare(&leaf(), &details()), good);
        let check = |expected: Expected, says: &str| {
            let why = expected.compare(&leaf(), &details()).unwrap_err();
            assert!(why.contains(says), "{why}");
        };
        check(Expected { key: "other".into(), ..expected() }, "another call");
        check(Expected { channel: 4, ..expected() }, "another call");
        check(Expected { price_max: Price(9), ..expected() }, "at most");
        check(Expected { input: Some("other".into()), ..expected() }, "what was asked");
        check(Expected { output: Some(b"answe".to_vec()), ..expected() }, "answer that arrived");
        check(Expected { salt: Digest::ZERO, ..expected() }, "what was asked");
        let forged = Details { wall_ms: 6, ..details() };
        assert!(expected().compare(&leaf(), &forged).unwrap_err().contains("details"));
    }

    #[test]
    fn what_is_no_receipt_proves_nothing() {
        let committee = ambar_base::Committee::new(
            0,
            vec![ambar_base::SecretKey::from_seed(&[1; 32]).public()],
        );
        let network = ambar_base::NetworkId(Digest::ZERO);
        let trusted = Checkpoint { network, committee: committee.unwrap() };
        assert!(expected().check(b"no receipt", &trusted).unwrap_err().contains("verify"));
    }
}
