//! The one room where money moves.
//!
//! A posting takes from one place and gives the same amount to another, so debits equal
//! credits by construction. What cannot be taken or does not fit refuses the transaction.

use crate::key::Key;
use crate::object::{Balance, Channel, Department};
use crate::refusal::{Refusal, Stop};
use crate::view::View;
use ambar_base::{Amount, ErrorCode, Height, Price};
use std::collections::BTreeMap;

/// Most heights at which one account's income is pending: releases are rounded up to a
/// multiple, so that a window holds no more.
pub const PENDING_MAX: u64 = 64;

/// Takes from what an account can spend. What the acting department lacks comes from its
/// organisation.
pub fn withdraw(view: &mut View<'_>, account: u64, amount: Amount) -> Result<(), Stop> {
    let key = Key::Balance(account);
    let mut balance: Balance = view.expect(&key)?;
    release(&mut balance, view.block.height)?;
    let acts = view.drawing.is_some_and(|drawing| drawing.department == account);
    if acts && balance.available < amount {
        draw(view, account, amount.saturating_sub(balance.available))?;
        balance = view.expect(&key)?;
    }
    let short = || {
        let message = format!(
            "account {} has {} available, {amount} is needed",
            balance.account, balance.available
        );
        Refusal::new(ErrorCode::BalanceTooLow, message)
    };
    let left = balance.available.checked_sub(amount).ok_or_else(short)?;
    balance.available = left;
    view.put(&key, &balance);
    Ok(())
}

/// Moves from the acting department's organisation to it, within its budget.
fn draw(view: &mut View<'_>, number: u64, amount: Amount) -> Result<(), Stop> {
    let key = Key::Department(number);
    view.require([key.clone()])?;
    let mut department: Department = view.expect(&key)?;
    let organisation = department.organisation;
    department.draw(view.block.time, amount)?;
    view.put(&key, &department);
    transfer(view, organisation, number, amount)?;
    let drawing = view.drawing.as_mut().filter(|drawing| drawing.department == number);
    let drawing = drawing.ok_or_else(|| Refusal::new(ErrorCode::Internal, "nobody draws"))?;
    drawing.drawn = drawing.drawn.checked_add(amount).ok_or_else(Refusal::overflow)?;
    Ok(())
}

/// Gives to what an account can spend.
pub fn deposit(view: &mut View<'_>, account: u64, amount: Amount) -> Result<(), Stop> {
    credit(view, account, amount, None)
}

/// Moves between accounts.
pub fn transfer(view: &mut View<'_>, from: u64, to: u64, amount: Amount) -> Result<(), Stop> {
    withdraw(view, from, amount)?;
    deposit(view, to, amount)
}

/// Moves from an account into a channel.
pub fn fund_channel(
    view: &mut View<'_>,
    from: u64,
    channel: &mut Channel,
    amount: Price,
) -> Result<(), Stop> {
    let amount = Amount::from(amount);
    withdraw(view, from, amount)?;
    channel.funded = channel.funded.checked_add(amount).ok_or_else(Refusal::overflow)?;
    Ok(())
}

/// Moves what is left of a channel, and its deposit, back to the payer.
pub fn close_channel(view: &mut View<'_>, channel: &mut Channel) -> Result<(), Stop> {
    let remaining = channel.remaining();
    channel.spent = channel.funded;
    deposit(view, channel.payer, remaining)?;
    transfer(view, crate::object::reserved::DEPOSITS, channel.payer, channel.deposit)
}

/// Moves from the owner of a node or validator into its bond.
pub fn bond(view: &mut View<'_>, owner: u64, bond: &mut Amount, amount: Price) -> Result<(), Stop> {
    let amount = Amount::from(amount);
    withdraw(view, owner, amount)?;
    *bond = bond.checked_add(amount).ok_or_else(Refusal::overflow)?;
    Ok(())
}

/// Moves a whole bond to an account: back to its owner, or away for ever.
pub fn release_bond(view: &mut View<'_>, bond: &mut Amount, to: u64) -> Result<(), Stop> {
    deposit(view, to, *bond)?;
    *bond = Amount::ZERO;
    Ok(())
}

/// Moves part of a bond to an account: so much, or what there is.
pub fn pay_from_bond(
    view: &mut View<'_>,
    bond: &mut Amount,
    to: u64,
    amount: Amount,
) -> Result<Amount, Stop> {
    let paid = amount.min(*bond);
    deposit(view, to, paid)?;
    *bond = bond.saturating_sub(paid);
    Ok(paid)
}

/// What a batch moves: from channels to accounts.
#[derive(Debug, Default)]
pub struct Settlement {
    spent: BTreeMap<u64, Amount>,
    earned: BTreeMap<u64, Amount>,
}

impl Settlement {
    /// A call's price leaves a channel.
    pub fn spend(&mut self, channel: u64, price: Price) -> Result<(), Refusal> {
        add(&mut self.spent, channel, Amount::from(price))
    }

    /// A payout reaches an account.
    pub fn earn(&mut self, account: u64, amount: Amount) -> Result<(), Refusal> {
        add(&mut self.earned, account, amount)
    }

    /// What has left a channel so far.
    #[must_use]
    pub fn spent(&self, channel: u64) -> Amount {
        self.spent.get(&channel).copied().unwrap_or_default()
    }

    /// Posts everything, or nothing where debits and credits differ.
    pub fn post(
        self,
        view: &mut View<'_>,
        channels: &mut BTreeMap<u64, Channel>,
        release_at: Option<Height>,
    ) -> Result<(), Stop> {
        let debits = ambar_base::amount::total(self.spent.values().copied());
        let credits = ambar_base::amount::total(self.earned.values().copied());
        if debits.is_none() || debits != credits {
            let message = format!("a batch would take {debits:?} and give {credits:?}");
            return Err(Refusal::new(ErrorCode::Internal, message).into());
        }
        for (number, amount) in self.spent {
            let channel = channels.get_mut(&number).ok_or_else(|| unread_channel(number))?;
            let spent = channel.spent.checked_add(amount).ok_or_else(Refusal::overflow)?;
            if spent > channel.funded {
                return Err(empty_channel(number, channel.remaining(), amount).into());
            }
            channel.spent = spent;
        }
        for (account, amount) in self.earned {
            credit(view, account, amount, release_at)?;
        }
        Ok(())
    }
}

fn unread_channel(number: u64) -> Refusal {
    Refusal::new(ErrorCode::Internal, format!("channel {number} was not read"))
}

fn empty_channel(number: u64, remaining: Amount, needed: Amount) -> Refusal {
    let message = format!("channel {number} holds {remaining}, {needed} is needed");
    Refusal::new(ErrorCode::ChannelEmpty, message)
}

fn add(map: &mut BTreeMap<u64, Amount>, key: u64, amount: Amount) -> Result<(), Refusal> {
    let sum = map.entry(key).or_default();
    *sum = sum.checked_add(amount).ok_or_else(Refusal::overflow)?;
    Ok(())
}

fn credit(
    view: &mut View<'_>,
    account: u64,
    amount: Amount,
    release_at: Option<Height>,
) -> Result<(), Stop> {
    if amount.is_zero() {
        return Ok(());
    }
    let key = Key::Balance(account);
    let mut balance: Balance = view.expect(&key)?;
    release(&mut balance, view.block.height)?;
    let place = match release_at {
        None => &mut balance.available,
        Some(height) => pending_at(&mut balance, height),
    };
    *place = place.checked_add(amount).ok_or_else(Refusal::overflow)?;
    view.put(&key, &balance);
    Ok(())
}

fn pending_at(balance: &mut Balance, height: Height) -> &mut Amount {
    let at = balance.pending.partition_point(|(release, _)| *release < height);
    if balance.pending.get(at).is_none_or(|(release, _)| *release != height) {
        balance.pending.insert(at, (height, Amount::ZERO));
    }
    &mut balance.pending[at].1
}

/// Makes available what is due.
fn release(balance: &mut Balance, height: Height) -> Result<(), Refusal> {
    let due = balance.pending.partition_point(|(release, _)| *release <= height);
    for (_, amount) in balance.pending.drain(..due) {
        let sum = balance.available.checked_add(amount);
        balance.available = sum.ok_or_else(Refusal::overflow)?;
    }
    Ok(())
}

/// The height at which income of `height` becomes available; nothing if at once.
#[must_use]
pub fn release_height(height: Height, challenge_window: u64) -> Option<Height> {
    let step = challenge_window.div_ceil(PENDING_MAX).max(1);
    let release = height.after(challenge_window).0.div_ceil(step).saturating_mul(step);
    (challenge_window > 0).then_some(Height(release))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn releases_are_bounded_and_never_early() {
        assert_eq!(release_height(Height(7), 0), None);
        for window in [1, 5, 64, 1000, 100_000] {
            let heights = (10_000..10_000 + window).filter_map(|h| {
                let release = release_height(Height(h), window)?;
                assert!(release.0 >= h + window);
                Some(release)
            });
            let distinct = heights.collect::<BTreeSet<_>>().len() as u64;
            assert!(distinct <= PENDING_MAX + 1, "{window}: {distinct}");
        }
    }
}
