//! The payer's side of a channel in voucher mode: what may be signed, and what was answered.
//!
//! Before a call its highest price is reserved, and the voucher covers what was acknowledged
//! before and the highest prices of all calls under way. After the answer the call is
//! acknowledged at its true price, released because nothing was charged, or disputed: then no
//! voucher is signed any more until the owner goes on. It knows no clock, disk or network: who
//! uses it makes each state durable before a voucher leaves, and brings verified receipts.
//!
//! **Invariant**: no voucher is ever higher than what was acknowledged when it was signed and
//! the highest prices then under way, nor than what is in the channel. So a gateway that lies
//! gains at most those highest prices, once.

mod numbers;

use ambar_base::{Coded, Digest, ErrorCode, Price, record};
pub use numbers::Numbers;

/// Most calls that are counted at once, those that a crash left included.
pub const CALLS_COUNTED_MAX: usize = 64;

record! {
    /// What is counted of a call until it is known what became of it.
    pub struct Ticket {
        /// The identity of the call.
        pub call: Digest,
        /// Its idempotency key.
        pub key: String,
        /// Most that it may cost, nano-credit.
        pub price_max: Price,
        /// Whether the process that made it has ended.
        pub left: bool,
        /// Why it is disputed, if it is.
        pub disputed: Option<String>,
    }
}

record! {
    /// What was signed and acknowledged on one channel.
    pub struct Purse {
        /// The channel.
        pub channel: u64,
        /// What answered calls cost, and what the owner has given up as lost, nano-credit.
        pub acknowledged: Price,
        /// The highest total that was signed, nano-credit.
        pub signed: Price,
        /// Calls of which it is not known what became of them.
        pub counted: Vec<Ticket>,
        /// Sequence numbers of acknowledged receipts: each counts once.
        pub numbers: Numbers,
    }
}

/// Why nothing is signed, or a receipt is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurseError {
    /// A call is disputed.
    #[error("nothing is signed on channel {channel}: call {key} is disputed: {why}")]
    Disputed {
        /// The channel.
        channel: u64,
        /// The idempotency key of the call.
        key: String,
        /// Why.
        why: String,
    },
    /// As many calls are under way as may be.
    #[error("{0} calls wait for their receipts, which is as many as may")]
    Busy(usize),
    /// The call is under way already.
    #[error("the call with key {0} is under way")]
    UnderWay(String),
    /// The channel does not hold it.
    #[error(
        "the channel holds {left} credits that nothing else may cost, the call may cost {price_max}"
    )]
    Empty {
        /// What is left.
        left: Price,
        /// What is asked.
        price_max: Price,
    },
    /// A receipt asks for more than was allowed.
    #[error("the receipt asks for {price} credits, at most {price_max} were allowed")]
    TooDear {
        /// What it asks for.
        price: Price,
        /// What was allowed.
        price_max: Price,
    },
    /// No such call is counted.
    #[error("no call {0} is under way")]
    Unknown(Digest),
    /// The ledger has settled more than was signed for answered calls and calls under way.
    #[error(
        "{spent} credits are settled on channel {channel}, and calls that were made here cost \
         at most {counted}"
    )]
    Overdrawn {
        /// The channel.
        channel: u64,
        /// What the ledger says.
        spent: Price,
        /// What is known here.
        counted: Price,
    },
}

impl Coded for PurseError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Disputed { .. } | Self::Overdrawn { .. } => ErrorCode::VoucherExceeded,
            Self::Busy(_) | Self::UnderWay(_) => ErrorCode::Overloaded,
            Self::Empty { .. } => ErrorCode::ChannelEmpty,
            Self::TooDear { .. } => ErrorCode::ReceiptInvalid,
            Self::Unknown(_) => ErrorCode::Internal,
        }
    }
}

impl Purse {
    /// The purse of a channel of which this much is spent and accepted as spent, and vouchers
    /// cover `vouched`.
    #[must_use]
    pub fn new(channel: u64, spent: Price, vouched: Price) -> Self {
        let (counted, numbers) = (Vec::new(), Numbers::default());
        Self { channel, acknowledged: spent, signed: vouched.max(spent), counted, numbers }
    }

    /// The highest prices of everything that is counted; nothing on overflow.
    #[must_use]
    pub fn under_way(&self) -> Option<Price> {
        let prices = self.counted.iter().map(|ticket| ticket.price_max);
        ambar_base::amount::total_price(prices)
    }

    /// What is acknowledged or may be; nothing on overflow.
    fn total(&self) -> Option<Price> {
        self.under_way()?.checked_add(self.acknowledged)
    }

    /// Calls that this process has under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.counted.iter().filter(|ticket| !ticket.left && ticket.disputed.is_none()).count()
    }

    /// The first call that is disputed.
    pub fn sound(&self) -> Result<(), PurseError> {
        let disputed = self.counted.iter().find_map(|ticket| {
            let why = ticket.disputed.clone()?;
            Some(PurseError::Disputed { channel: self.channel, key: ticket.key.clone(), why })
        });
        disputed.map_or(Ok(()), Err)
    }

    /// What is left of `funded` for further calls.
    #[must_use]
    pub fn left(&self, funded: Price) -> Price {
        self.total().map_or(Price::ZERO, |total| funded.saturating_sub(total))
    }

    /// Reserves a call's highest price; the total to sign, once this state is durable. `funded`
    /// is everything ever put into the channel, `parallel` how many calls may be under way.
    pub fn reserve(
        &mut self,
        (key, call): (String, Digest),
        price_max: Price,
        funded: Price,
        parallel: usize,
    ) -> Result<Price, PurseError> {
        self.sound()?;
        if self.counted.iter().any(|ticket| ticket.call == call) {
            return Err(PurseError::UnderWay(key));
        }
        let running = self.running();
        if running >= parallel || self.counted.len() >= CALLS_COUNTED_MAX {
            return Err(PurseError::Busy(running));
        }
        let left = self.left(funded);
        let total = self.total().and_then(|total| total.checked_add(price_max));
        let total = total.filter(|total| *total <= funded);
        let total = total.ok_or(PurseError::Empty { left, price_max })?;
        self.counted.push(Ticket { call, key, price_max, left: false, disputed: None });
        self.signed = self.signed.max(total);
        Ok(self.signed)
    }

    /// A verified receipt came: the call cost `price` and has the sequence number `n`. A receipt
    /// that came before counts once.
    pub fn acknowledge(&mut self, call: &Digest, n: u64, price: Price) -> Result<(), PurseError> {
        let at = self.place(call)?;
        let price_max = self.counted[at].price_max;
        if price > price_max {
            return Err(PurseError::TooDear { price, price_max });
        }
        self.counted.remove(at);
        if self.numbers.insert(n) {
            // The highest price was part of a sum that fitted.
            self.acknowledged.0 = self.acknowledged.0.saturating_add(price.0);
        }
        Ok(())
    }

    /// Nothing was charged. If that is a lie, the next voucher does not cover it twice.
    pub fn release(&mut self, call: &Digest) -> Result<(), PurseError> {
        let at = self.place(call)?;
        self.counted.remove(at);
        Ok(())
    }

    /// The receipt does not match or never came.
    pub fn dispute(&mut self, call: &Digest, why: impl Into<String>) -> Result<(), PurseError> {
        let at = self.place(call)?;
        self.counted[at].disputed = Some(why.into());
        Ok(())
    }

    /// The process that had calls under way has ended: they stay counted until it is known what
    /// became of them.
    pub fn restart(&mut self) {
        self.counted.iter_mut().for_each(|ticket| ticket.left = true);
    }

    /// Compares with what the ledger says is spent.
    pub fn compare(&self, spent: Price) -> Result<(), PurseError> {
        let counted = self.total().unwrap_or(Price(u64::MAX));
        if spent <= counted {
            return Ok(());
        }
        Err(PurseError::Overdrawn { channel: self.channel, spent, counted })
    }

    /// The owner goes on: disputed calls and whatever the ledger has settled are lost, and count
    /// as acknowledged. If that is more than was acknowledged, calls under way may be in it, so
    /// that they are not waited for.
    pub fn go_on(&mut self, spent: Price) {
        self.give_up(|ticket| ticket.disputed.is_some());
        if spent > self.acknowledged {
            self.give_up(|_| true);
        }
        self.acknowledged = self.acknowledged.max(spent);
        self.signed = self.signed.max(self.acknowledged);
    }

    fn give_up(&mut self, lost: impl Fn(&Ticket) -> bool) {
        for ticket in self.counted.extract_if(.., |ticket| lost(ticket)) {
            self.acknowledged.0 = self.acknowledged.0.saturating_add(ticket.price_max.0);
        }
    }

    fn place(&self, call: &Digest) -> Result<usize, PurseError> {
        let at = self.counted.iter().position(|ticket| ticket.call == *call);
        at.ok_or(PurseError::Unknown(*call))
    }
}

#[cfg(test)]
mod tests;
