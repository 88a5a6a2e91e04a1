//! Rules files, as owners of datanets write them, and the same bytes as a record.

use crate::{Reach, Target, promise};
use ambar_quality::{Rules, Seen, assess};

pub(super) const TARGET: Target = Target { name: "quality_rules", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let some = "rules = 1\n[language]\nallow = [\"en\", \"pt\"]\n[personal]\naction = \"note\"\n";
    vec![Rules::default().to_string().into_bytes(), some.into(), b"rules = 1".to_vec()]
}

fn attempt(input: &[u8]) -> Reach {
    let none = Seen::default();
    let rules = Rules::default();
    let (once, again) = (assess(input, &rules, &none, &none), assess(input, &rules, &none, &none));
    assert_eq!(once, again, "the same record has the same findings");
    let text = String::from_utf8_lossy(input);
    if promise::readable::<Rules>(&text) { Reach::Used } else { Reach::Refused }
}
