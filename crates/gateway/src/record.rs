//! What the call journal and the archive keep of a call.

use crate::answers::SealedAnswer;
use crate::books::{Claim, QuotaClaim};
use crate::call::ReceiptId;
use ambar_base::{Digest, Height, Moment, Price, choice, record};
use ambar_compute::Finish;
use ambar_licence::decision::Spent;
use ambar_receipt::{Details, Leaf, SignedBatch, Voucher};
use std::sync::Arc;

choice! {
    /// A record of the call journal.
    pub enum Record {
        /// A call was admitted: its sequence number is taken, money is held.
        Reserved(Reserved) = 1,
        /// A call is over and metered: from here on it is charged.
        Metered(Arc<Metered>) = 2,
        /// A batch was signed: it is submitted until it is final.
        Batched(Batched) = 3,
        /// A batch is final and archived.
        Final(Final) = 4,
    }
}

record! {
    /// See [`Record::Reserved`].
    pub struct Reserved {
        /// The channel that pays.
        pub channel: u64,
        /// The sequence number in it.
        pub n: u64,
        /// The admission height.
        pub admitted: Height,
        /// The admission time.
        pub time: Moment,
    }
}

record! {
    /// See [`Record::Metered`].
    pub struct Metered {
        /// The call as it settles.
        pub leaf: Leaf,
        /// What the leaf binds; nothing for void leaves.
        pub details: Option<Details>,
        /// The [`DecisionRecord`](ambar_licence::DecisionRecord) that the details bind.
        pub decision: Option<Vec<u8>>,
        /// The documents behind the leaf's shares.
        pub evidence: Vec<Vec<u8>>,
        /// The blocks of the certificate that it counts against.
        pub blocks: Vec<Digest>,
        /// Grants whose quota counts, each once, and their periods.
        pub quotas: Vec<(u64, u64)>,
        /// What the request was.
        pub fingerprint: Digest,
        /// In voucher mode the highest voucher at the call's admission: it covers this call and
        /// everything that was counted on the channel then.
        pub voucher: Option<Voucher>,
        /// The called version's id.
        pub capsule: String,
        /// What came back.
        pub answer: Answer,
    }
}

record! {
    /// What came back.
    #[derive(Default)]
    pub struct Answer {
        /// What it says, if it can be asked for again.
        pub body: Option<SealedAnswer>,
        /// Why it ended: 0 stop, 1 length, 2 cancelled, 3 tool calls, 4 filtered.
        pub finish: u16,
        /// Prompt tokens.
        pub tokens_in: u64,
        /// Of these, those that an engine had read for an earlier call, if it says so.
        pub tokens_cached: Option<u64>,
        /// Answer tokens.
        pub tokens_out: u64,
    }
}

record! {
    /// See [`Record::Batched`].
    pub struct Batched {
        /// The signed batch.
        pub batch: SignedBatch,
        /// Channel and sequence number of its leaves, in order.
        pub members: Vec<(u64, u64)>,
    }
}

record! {
    /// See [`Record::Final`].
    pub struct Final {
        /// The batch.
        pub number: u64,
        /// When it settled.
        pub height: Height,
    }
}

impl Metered {
    /// The receipt's id.
    #[must_use]
    pub fn receipt(&self) -> ReceiptId {
        ReceiptId { channel: self.leaf.channel, n: self.leaf.n }
    }

    /// The leaf that fills a sequence number after a call that delivered nothing.
    #[must_use]
    pub fn void(channel: u64, n: u64, admitted: Height, time: Moment) -> Self {
        Self {
            leaf: Leaf::void(channel, n, admitted, time),
            details: None,
            decision: None,
            evidence: Vec::new(),
            blocks: Vec::new(),
            quotas: Vec::new(),
            fingerprint: Digest::ZERO,
            voucher: None,
            capsule: String::new(),
            answer: Answer::default(),
        }
    }

    /// What the call counts against.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let quota = |(grant, period): &(u64, u64)| {
            let spent = self.spent_under(*grant);
            QuotaClaim { grant: *grant, period: *period, spent }
        };
        let quotas = self.quotas.iter().map(quota).collect();
        Claim { channel: self.leaf.channel, blocks: self.blocks.clone(), quotas }
    }

    /// The lines under a grant, and what they cost.
    fn spent_under(&self, grant: u64) -> Spent {
        let lines = self.leaf.lines.iter().filter(|line| line.grant == grant);
        lines.fold(Spent::default(), |sum, line| {
            let cost = line.royalty.0.saturating_add(line.node_fee.0);
            Spent { price: Price(sum.price.0.saturating_add(cost)), calls: sum.calls + 1 }
        })
    }

    /// What the call costs.
    #[must_use]
    pub fn price(&self) -> Price {
        self.leaf.price().unwrap_or_default()
    }
}

impl Answer {
    /// Why it ended.
    #[must_use]
    pub fn finish(&self) -> Finish {
        match self.finish {
            0 => Finish::Stop,
            1 => Finish::Length,
            3 => Finish::ToolCalls,
            4 => Finish::Filtered,
            _ => Finish::Cancelled,
        }
    }

    /// How a reason is written.
    #[must_use]
    pub fn finish_number(finish: Finish) -> u16 {
        match finish {
            Finish::Stop => 0,
            Finish::Length => 1,
            Finish::Cancelled => 2,
            Finish::ToolCalls => 3,
            Finish::Filtered => 4,
        }
    }
}
