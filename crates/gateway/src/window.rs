//! When calls under a rate were admitted: at most as many as this gateway's part in any window
//! of the unit.
//!
//! Times are rounded up to a thousandth of the unit, so that at most a thousand are kept
//! whatever the rate: a call may wait that much longer than it must, and never shorter.
//!
//! **Invariant**: of calls that were added when [`Window::wait_ms`] was 0, never more than the
//! part lie within one unit.

use ambar_base::Moment;
use ambar_licence::RateUnit;
use std::collections::VecDeque;

/// Parts that a unit is rounded to.
const GRAINS: u64 = 1_000;

/// The calls of one grant that count at this gateway.
#[derive(Clone, Debug)]
pub struct Window {
    unit: RateUnit,
    /// The last moment that was told: time does not go back.
    now: Moment,
    /// From when on calls do not count any more, ascending, and how many.
    calls: VecDeque<(Moment, u32)>,
    /// Set aside for giving it back.
    withheld: u32,
}

impl Window {
    /// The window of a process that begins. An earlier one may just have used all that it
    /// `inherited`, so that counts as used.
    #[must_use]
    pub fn new(unit: RateUnit, now: Moment, inherited: u32) -> Self {
        let mut window = Self { unit, now, calls: VecDeque::new(), withheld: 0 };
        window.add(now, inherited);
        window
    }

    /// How long until the part has room for so many calls more, milliseconds; one unit if it
    /// never has.
    #[must_use]
    pub fn wait_ms(&self, now: Moment, part: u32, calls: u32) -> u64 {
        let now = now.max(self.now);
        let counted = self.calls.iter().filter(|(end, _)| *end > now);
        let mut used: u64 = counted.clone().map(|(_, calls)| u64::from(*calls)).sum();
        used += u64::from(self.withheld);
        let room = |used: u64| used + u64::from(calls) <= u64::from(part);
        if room(used) {
            return 0;
        }
        for (end, calls) in counted {
            used -= u64::from(*calls);
            if room(used) {
                return end.0 - now.0;
            }
        }
        self.unit.ms()
    }

    /// So many calls are admitted.
    pub fn add(&mut self, now: Moment, calls: u32) {
        self.now = now.max(self.now);
        while self.calls.front().is_some_and(|(end, _)| *end <= self.now) {
            self.calls.pop_front();
        }
        if calls == 0 {
            return;
        }
        let grain_ms = self.unit.ms() / GRAINS;
        let end = self.now.0.saturating_add(self.unit.ms()).div_ceil(grain_ms);
        let end = Moment(end.saturating_mul(grain_ms));
        match self.calls.back_mut() {
            Some((last, count)) if *last == end => *count = count.saturating_add(calls),
            _ => self.calls.push_back((end, calls)),
        }
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> RateUnit {
        self.unit
    }

    /// Sets a part aside that is given back.
    pub fn withhold(&mut self, part: u32) {
        self.withheld = self.withheld.saturating_add(part);
    }

    /// What was set aside is given back, or not.
    pub fn release(&mut self, part: u32) {
        self.withheld = self.withheld.saturating_sub(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_has_room_when_a_call_is_a_unit_old() {
        let mut window = Window::new(RateUnit::Second, Moment(10_000), 0);
        let check = |window: &Window, now, part, calls, expect| {
            assert_eq!(window.wait_ms(Moment(now), part, calls), expect, "{now} {part} {calls}");
        };
        check(&window, 10_000, 0, 1, 1_000);
        check(&window, 10_000, 2, 2, 0);
        window.add(Moment(10_000), 1);
        window.add(Moment(10_400), 1);
        check(&window, 10_400, 2, 1, 600);
        check(&window, 10_999, 2, 1, 1);
        check(&window, 11_000, 2, 1, 0);
        check(&window, 11_000, 2, 2, 400);
        check(&window, 10_000, 2, 1, 600);
        check(&window, 11_000, 3, 3, 400);
        check(&window, 11_000, 1, 2, 1_000);
        window.withhold(1);
        check(&window, 11_000, 2, 1, 400);
        check(&window, 11_000, 2, 2, 1_000);
        window.release(1);
        check(&window, 11_000, 2, 1, 0);
    }

    #[test]
    fn a_process_that_begins_counts_what_it_finds_as_used() {
        let window = Window::new(RateUnit::Minute, Moment(60_000), 5);
        assert_eq!(window.wait_ms(Moment(60_000), 5, 1), 60_000);
        assert_eq!(window.wait_ms(Moment(60_000), 6, 1), 0);
        assert_eq!(window.wait_ms(Moment(120_000), 5, 5), 0);
    }

    proptest! {
        #[test]
        fn no_window_of_the_unit_has_more_than_the_part(
            steps in proptest::collection::vec((0..90_u64, 1..4_u32), 1..200),
            part in 1..20_u32,
        ) {
            for unit in RateUnit::ALL {
                let scale = unit.ms() / 1_000;
                let mut window = Window::new(unit, Moment(7), 0);
                let (mut now, mut admitted) = (Moment(7), Vec::new());
                for (later, calls) in &steps {
                    now = now.after(later * scale + later % 2);
                    let wait_ms = window.wait_ms(now, part, *calls);
                    prop_assert!(wait_ms <= unit.ms() + scale);
                    if wait_ms == 0 {
                        window.add(now, *calls);
                        admitted.extend((0..*calls).map(|_| now));
                    }
                }
                prop_assert!(window.calls.len() <= 1_001);
                for (at, first) in admitted.iter().enumerate() {
                    let within = admitted[at..].iter().take_while(|t| t.0 < first.0 + unit.ms());
                    prop_assert!(within.count() <= part as usize);
                }
            }
        }
    }
}
