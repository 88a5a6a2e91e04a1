//! The one list of rules that terms must keep, for documents and for TOML.
//!
//! Each rule names the key that it shows at, so that a text can point at the place.

use crate::calendar;
use crate::problem::{Problem, TermsErrors};
use crate::purpose::PURPOSES_MAX;
use crate::quota::{Period, QUOTA_CALLS_MAX, Quota};
use crate::rate::{Rate, RateError};
use crate::terms::{
    DELEGATION_DEPTH_MAX, Derivatives, LegalText, PriceRule, Right, SPDX_BYTES_MAX, TERM_DAYS_MAX,
    TERMS_VERSION, Term, Terms,
};
use ambar_base::{Moment, Price, Weight};

/// A key with what is wrong there.
type Found = (&'static str, Problem);

impl Terms {
    /// Refuses terms that contradict themselves or exceed a limit, with every reason.
    pub fn check(&self) -> Result<(), TermsErrors> {
        TermsErrors::unless_empty(self.problems())
    }

    /// What is wrong with accepting these terms at `now`: a term that is over binds
    /// nobody. What is wrong at any time is the matter of [`Terms::check`].
    #[must_use]
    pub fn problem_at(&self, now: Moment) -> Option<Problem> {
        match self.term {
            Some(Term::Until(until)) if until <= now => Some(Problem::Over { until }),
            _ => None,
        }
    }

    /// Every contradiction and excess.
    pub(crate) fn problems(&self) -> Vec<Found> {
        let mut found = self.list_problems();
        let mut refuse = |broken: bool, key, problem: Problem| {
            if broken {
                found.push((key, problem));
            }
        };
        refuse(self.terms != TERMS_VERSION, "terms", Problem::Version);
        refuse(self.grants.is_empty(), "grants", Problem::NothingGranted);
        let days = matches!(self.term, Some(Term::Days(days)) if days == 0 || days > TERM_DAYS_MAX);
        refuse(days, "term.days", Problem::OutOfRange { least: 1, most: TERM_DAYS_MAX.into() });
        let late = matches!(self.term, Some(Term::Until(moment)) if moment > calendar::MOMENT_MAX);
        refuse(late, "term.until", Problem::Instant);
        let depth = self.delegation.depth > DELEGATION_DEPTH_MAX;
        let most = DELEGATION_DEPTH_MAX.into();
        refuse(depth, "delegation.depth", Problem::OutOfRange { least: 0, most });
        let Derivatives { allowed, share, floor_per_call } = self.derivatives;
        refuse(share > Weight::ONE, "derivatives.share", Problem::Share);
        let due = share != Weight::ZERO || !floor_per_call.is_zero();
        refuse(!allowed && due, "derivatives.allowed", Problem::DerivativesForbidden);
        refuse(!self.spdx_is_plausible(), "text.spdx", Problem::Spdx);
        if let Some(quota) = &self.quota {
            found.extend(self.quota_problems(quota));
        }
        found.extend(self.tier_problems());
        found.extend(self.idle_problems());
        found
    }

    fn list_problems(&self) -> Vec<Found> {
        let (purposes, territories) = (&self.purposes, &self.territories);
        let both = purposes.allow.intersection(&purposes.deny).cloned();
        let mut found: Vec<_> =
            both.map(|word| ("purposes.deny", Problem::AllowedAndDenied(word))).collect();
        for (key, list) in [("purposes.allow", &purposes.allow), ("purposes.deny", &purposes.deny)]
        {
            if list.len() > PURPOSES_MAX {
                found.push((key, Problem::TooMany { most: PURPOSES_MAX }));
            }
        }
        let both = territories.allow.intersection(&territories.deny).copied();
        found.extend(
            both.map(|code| ("territories.deny", Problem::TerritoryAllowedAndDenied(code))),
        );
        found
    }

    fn quota_problems(&self, quota: &Quota) -> Vec<Found> {
        let Quota { per, calls, spend, rate } = *quota;
        let mut found = Vec::new();
        if !quota.counts() && rate.is_none() {
            found.push(("quota", Problem::QuotaEmpty));
        } else if !quota.counts() && per != Period::Term {
            found.push(("quota.per", Problem::PerWithoutCount));
        }
        if calls.is_some_and(|calls| calls == 0 || calls > QUOTA_CALLS_MAX) {
            found.push(("quota.calls", Problem::OutOfRange { least: 1, most: QUOTA_CALLS_MAX }));
        }
        // The first call is of the first tier, and no later one is dearer.
        let least = self.price.least().max(Price(1));
        if spend.is_some_and(|spend| spend < least) {
            found.push(("quota.spend", Problem::SpendTooLow { least }));
        }
        if rate.is_some_and(|rate: Rate| !rate.is_plausible()) {
            found.push(("quota.rate", Problem::Rate(RateError)));
        }
        found
    }

    /// Clauses about calls where no calls are granted.
    fn idle_problems(&self) -> Vec<Found> {
        let called = self.grants_calls();
        let clauses = [
            ("quota", self.quota.is_some()),
            ("price", self.price != PriceRule::default()),
            ("price.tier", !self.tiers.is_empty()),
        ];
        let idle = clauses.into_iter().filter(|(_, said)| *said && !called);
        idle.map(|(key, _)| (key, Problem::BindsNothing)).collect()
    }

    /// Whether anything is called under these terms, so that quota and price matter.
    pub(crate) fn grants_calls(&self) -> bool {
        self.grants.contains(&Right::Call) || self.grants.contains(&Right::Compose)
    }

    /// Only the letters of an expression are looked at: the SPDX list of names grows
    /// without us.
    fn spdx_is_plausible(&self) -> bool {
        let Some(LegalText::Spdx(text)) = &self.text else { return true };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".+-:() ".contains(&byte);
        let named = text.bytes().any(|byte| byte.is_ascii_alphanumeric());
        named && text.len() <= SPDX_BYTES_MAX && text.bytes().all(letter) && text.trim() == text
    }
}
