//! Terms that are offered beside the published ones.

use super::TermsView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An offer of terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Its number.
    pub id: String,
    /// The latest version of the capsule.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// The account that made it.
    pub owner: String,
    /// The account that may accept it; absent: any.
    pub to: Option<String>,
    /// Nobody accepts it from then on.
    pub expires: String,
    /// Whether nobody can accept it any more: that is past, or the capsule changed hands.
    pub over: bool,
    /// Acceptances left; absent: without limit.
    pub left: Option<u64>,
    /// Whether an account accepts such an offer for the capsule once, ever: a trial.
    pub once: bool,
    /// What is offered.
    pub terms: TermsView,
}
