//! Departments: accounts of an organisation that spend its money within a budget.

use crate::refusal::Refusal;
use ambar_base::account::{ACCOUNT_KEYS_MAX, AccountError};
use ambar_base::{Amount, ErrorCode, KeySet, Moment, Price, PublicKey, choice, record};
use ambar_licence::Period;

choice! {
    /// What a key of a department may sign for.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Role {
        /// Accept terms, open, fund and close channels.
        Spend = 1,
        /// Publish, name and serve capsules.
        Publish = 2,
        /// Read the department's statements and receipts.
        Read = 3,
        /// Replace the department's members, and give away what it owns.
        Admin = 4,
    }
}

record! {
    /// A key of a department.
    pub struct Member {
        /// The key.
        pub key: PublicKey,
        /// What it may sign for, ascending, at least one.
        pub roles: Vec<Role>,
    }
}

record! {
    /// How much a department may draw from its organisation.
    #[derive(Copy)]
    pub struct Budget {
        /// Nano-credit per period; 0: nothing.
        pub amount: Price,
        /// What it is counted by: UTC days or months since the department was created, or all
        /// its time.
        pub per: Period,
    }
}

record! {
    /// A department. Its keys and its threshold are those of its account.
    pub struct Department {
        /// The account that it belongs to, by number.
        pub organisation: u64,
        /// Its keys and their roles, ascending by key; none once it is closed.
        pub members: Vec<Member>,
        /// What it may draw.
        pub budget: Budget,
        /// When it was created: periods count from there.
        pub since: Moment,
        /// The period of its last draw.
        pub period: u64,
        /// What it drew in that period.
        pub drawn: Amount,
        /// Its channels that are not paid out.
        pub channels: u64,
        /// Whether it is closed.
        pub closed: bool,
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Spend, Self::Publish, Self::Read, Self::Admin];

    /// The role's name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Spend => "spend",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl Member {
    /// The key set of these members.
    ///
    /// # Errors
    /// The rules of a [`KeySet`], and: each member has roles, ascending, and whatever more
    /// than nobody may sign for, `threshold` may. One key reads alone.
    pub fn key_set(members: &[Self], threshold: u16) -> Result<KeySet, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::TransactionInvalid, message);
        if members.len() > ACCOUNT_KEYS_MAX {
            return Err(invalid(AccountError::KeyCount.to_string()));
        }
        let keys = members.iter().map(|member| member.key).collect();
        let set = KeySet { keys, threshold };
        set.check().map_err(|error| invalid(error.to_string()))?;
        let ascending = |roles: &[Role]| roles.windows(2).all(|pair| pair[0] < pair[1]);
        if members.iter().any(|member| member.roles.is_empty() || !ascending(&member.roles)) {
            return Err(invalid("each member has roles, ascending, each once".into()));
        }
        for role in [Role::Spend, Role::Publish, Role::Admin] {
            let holders = members.iter().filter(|member| member.roles.contains(&role)).count();
            if (1..usize::from(threshold)).contains(&holders) {
                let role = role.text();
                return Err(invalid(format!(
                    "{threshold} keys must sign, and {holders} have the role `{role}`"
                )));
            }
        }
        Ok(set)
    }
}

impl Department {
    /// Whether a key has a role.
    #[must_use]
    pub fn allows(&self, key: &PublicKey, role: Role) -> bool {
        self.members.iter().any(|member| member.key == *key && member.roles.contains(&role))
    }

    /// What was drawn in the period of `now`.
    #[must_use]
    pub fn drawn_at(&self, now: Moment) -> Amount {
        let running = self.budget.per.number(now, self.since) == self.period;
        if running { self.drawn } else { Amount::ZERO }
    }

    /// What may still be drawn in the period of `now`.
    #[must_use]
    pub fn left_at(&self, now: Moment) -> Amount {
        Amount::from(self.budget.amount).saturating_sub(self.drawn_at(now))
    }

    /// Counts a draw.
    ///
    /// # Errors
    /// [`ErrorCode::DepartmentOverBudget`].
    pub(crate) fn draw(&mut self, now: Moment, amount: Amount) -> Result<(), Refusal> {
        let left = self.left_at(now);
        if amount > left {
            let message = format!(
                "the department may draw {left} more {}, {amount} is needed",
                self.budget.per.phrase()
            );
            return Err(Refusal::new(ErrorCode::DepartmentOverBudget, message));
        }
        let drawn = self.drawn_at(now).checked_add(amount).ok_or_else(Refusal::overflow)?;
        self.period = self.budget.per.number(now, self.since);
        self.drawn = drawn;
        assert!(self.drawn <= Amount::from(self.budget.amount), "a draw stays within the budget");
        Ok(())
    }

    /// Changes the budget. What was drawn in the running period counts on, unless it is
    /// counted by another period from now on.
    pub(crate) fn set_budget(&mut self, now: Moment, budget: Budget) {
        let same = budget.per == self.budget.per;
        let drawn = if same { self.drawn_at(now) } else { Amount::ZERO };
        self.period = budget.per.number(now, self.since);
        self.drawn = drawn;
        self.budget = budget;
    }
}
