//! Lines as the nodes sign them that served them: the same as the leaf's that settles.

use crate::{Reach, Target, promise, sample};
use ambar_base::{Encode, Height, Moment};
use ambar_receipt::batch::line_hash;
use ambar_receipt::leaf::LINES_MAX;
use ambar_receipt::{Leaf, ServedLine};

pub(super) const TARGET: Target = Target { name: "served_line", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    sample::errand::lines().iter().map(Encode::to_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(served) = promise::compact::<ServedLine>(input) else { return Reach::Refused };
    let index = usize::try_from(served.index).ok().filter(|index| *index < LINES_MAX);
    let Some(index) = index else { return Reach::Decoded };
    let void = Leaf::void(served.channel, served.n, Height(9), Moment(1_800_000_000_000));
    let leaf = Leaf { lines: vec![served.line.clone(); index + 1], ..void };
    assert!(line_hash(&leaf, index) == Some(served.hash()), "a node signs what settles");
    assert!(ServedLine::of(&leaf, index) == Some(served), "a line is found at its place");
    Reach::Used
}
