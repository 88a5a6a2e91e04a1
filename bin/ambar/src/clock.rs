//! This machine's time.

use ambar_base::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as this machine has it.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
