//! How many connections there are, in all and from one address.
//!
//! **Invariant**: a place that was taken is given back when its connection ends, however.

use super::refusal::Reason;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of an IPv6 address that one site has to itself (RFC 6177, section 2).
const SITE_BITS: u32 = 64;

/// Whoever has so much of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    /// Programs of this machine.
    Loopback,
    /// Others.
    Address(IpAddr),
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) => Self::Address(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let site = address.to_bits() & (u128::MAX << SITE_BITS);
                Self::Address(IpAddr::V6(Ipv6Addr::from_bits(site)))
            }
        }
    }
}

/// The places.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<Origin, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    origin: Origin,
}

impl Places {
    /// Takes a place for a connection from `address`.
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        all_max: usize,
        each_max: usize,
    ) -> Result<Place, Reason> {
        let origin = Origin::of(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= all_max {
            return Err(Reason::Connections);
        }
        let of = taken.of.get(&origin).copied().unwrap_or_default();
        if origin != Origin::Loopback && of >= each_max {
            return Err(Reason::Address);
        }
        taken.all += 1;
        taken.of.insert(origin, of + 1);
        Ok(Place { places: Arc::clone(self), origin })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of) = taken.of.get_mut(&self.origin) {
            *of = of.saturating_sub(1);
            if *of == 0 {
                taken.of.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let places = Arc::new(Places::default());
        let take = |address: &str| places.take(address.parse().unwrap(), 6, 2);
        let one = take("192.0.2.1").unwrap();
        // The same address, as a socket of both versions writes it.
        let two = take("::ffff:192.0.2.1").unwrap();
        assert_eq!(take("192.0.2.1").unwrap_err(), Reason::Address);
        let _other = take("192.0.2.2").unwrap();
        let _site = take("2001:db8:0:1::1").unwrap();
        let _same = take("2001:db8:0:1:ffff::2").unwrap();
        assert_eq!(take("2001:db8:0:1::3").unwrap_err(), Reason::Address);
        let _next = take("2001:db8:0:2::1").unwrap();
        assert_eq!(take("192.0.2.3").unwrap_err(), Reason::Connections);
        drop((one, two));
        assert!(take("192.0.2.1").is_ok());
        assert_eq!(places.taken.lock().unwrap().all, 4);
        assert_eq!(places.taken.lock().unwrap().of.len(), 3);
    }

    #[test]
    fn programs_of_this_machine_share_the_limit_of_all() {
        let places = Arc::new(Places::default());
        let take = || places.take(IpAddr::from([127, 0, 0, 1]), 3, 1);
        let _three = [take().unwrap(), take().unwrap(), take().unwrap()];
        assert_eq!(take().unwrap_err(), Reason::Connections);
    }
}
