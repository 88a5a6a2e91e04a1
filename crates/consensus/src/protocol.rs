//! Which rules hold at which height, so that an upgrade happens everywhere in one block.
//!
//! **Invariant**: the version of a height never depends on who executes it or when.

use ambar_base::Height;

/// The newest version of the rules by which this program executes blocks.
pub const PROTOCOL: u32 = 1;

/// The versions of the rules and the heights from which they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols(Vec<(Height, u32)>);

/// Why versions cannot be scheduled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The network will run rules that this program does not know.
    #[error("the network runs protocol {0} and this program knows protocols up to {PROTOCOL}")]
    TooNew(u32),
    /// Heights and versions do not ascend.
    #[error("the heights and versions of protocols must ascend")]
    Order,
}

impl Default for Protocols {
    fn default() -> Self {
        Self(vec![(Height(0), PROTOCOL)])
    }
}

impl Protocols {
    /// Version `first` from genesis on, and each of `upgrades` from its height on.
    ///
    /// # Errors
    /// [`ProtocolError`] if they do not ascend or this program does not know one of them.
    pub fn new(first: u32, upgrades: &[(Height, u32)]) -> Result<Self, ProtocolError> {
        let all: Vec<_> = [(Height(0), first)].iter().chain(upgrades).copied().collect();
        if !all.is_sorted_by(|left, right| left.0 < right.0 && left.1 < right.1) {
            return Err(ProtocolError::Order);
        }
        match all.iter().find(|(_, version)| *version > PROTOCOL) {
            Some((_, version)) => Err(ProtocolError::TooNew(*version)),
            None => Ok(Self(all)),
        }
    }

    /// The version at a height.
    #[must_use]
    pub fn at(&self, height: Height) -> u32 {
        let held = self.0.iter().rev().find(|(from, _)| *from <= height);
        held.map_or(PROTOCOL, |(_, version)| *version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_holds_from_its_height_on() {
        let protocols = Protocols(vec![(Height(0), 1), (Height(10), 2), (Height(20), 5)]);
        let versions = [0, 9, 10, 19, 20, 99].map(|height| protocols.at(Height(height)));
        assert_eq!(versions, [1, 1, 2, 2, 5, 5]);
    }

    #[test]
    fn versions_ascend_and_are_known() {
        assert_eq!(Protocols::new(PROTOCOL, &[]), Ok(Protocols::default()));
        let newer = PROTOCOL + 1;
        let planned = [(Height(9), newer)];
        assert_eq!(Protocols::new(PROTOCOL, &planned), Err(ProtocolError::TooNew(newer)));
        assert_eq!(Protocols::new(PROTOCOL, &[(Height(9), 0)]), Err(ProtocolError::Order));
        assert_eq!(Protocols::new(1, &[(Height(0), 2)]), Err(ProtocolError::Order));
    }
}
