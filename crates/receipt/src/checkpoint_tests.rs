use super::*;
use ambar_base::SecretKey;
use proptest::prelude::*;

const NETWORK: NetworkId = NetworkId(Digest([0xab; 32]));

fn did(seed: u8) -> String {
    SecretKey::from_seed(&[seed; 32]).public().did()
}

fn checkpoint(epoch: u64, seats: u8) -> Checkpoint {
    let seats = (0..seats).map(|seed| SecretKey::from_seed(&[seed; 32]).public()).collect();
    Checkpoint { network: NETWORK, committee: Committee::new(epoch, seats).unwrap() }
}

/// Files like this lie with people: a change needs a new format number.
#[test]
fn conformance() {
    let expect = format!(
        "# Whose votes make blocks final, for `ambar receipt verify`. Nothing here is signed:\n\
         # compare it with a copy that came to you another way.\n\
         format = 1\n\
         network = \"{}\"\n\
         epoch = 7\n\
         validators = [\n    \"did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp\",\n]\n",
        "ab".repeat(32)
    );
    let one = checkpoint(7, 1);
    assert_eq!((write(&one), read(&expect)), (expect.clone(), Ok(one)));
}

#[test]
fn validators_stand_in_any_order_and_remarks_are_free() {
    let (first, second) = (did(0), did(1));
    let text = |one: &str, two: &str| {
        format!(
            "epoch = 0\nvalidators = [\"{one}\", # the first\n\"{two}\"]\n\
             network = \"{NETWORK}\"\nformat = 1"
        )
    };
    assert_eq!(read(&text(&first, &second)), Ok(checkpoint(0, 2)));
    assert_eq!(read(&text(&second, &first)), Ok(checkpoint(0, 2)));
}

/// What is said of a good text after one change.
fn check(from: &str, to: &str, expect: &str) {
    let text = write(&checkpoint(3, 2));
    assert!(text.contains(from), "{from}");
    let error = read(&text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn every_error_has_its_line() {
    let unknown = "checkpoint format 2 is not known; this version reads format 1";
    check("format = 1", "format = 2", &format!("line 3: {unknown}"));
    check("format = 1\n", "", "line 1: `format` is missing");
    check("epoch = 3", "epoch = -3", "line 5: expected a number, at least 0");
    check("epoch = 3", "epoch = \"3\"", "line 5: expected a number, at least 0");
    check("epoch = 3", "", "line 1: `epoch` is missing");
    let digits = "line 4: a network's id has 64 lower-case hexadecimal digits";
    check("abab", "abax", digits);
    check("abab", "ABab", digits);
    check("abab", "ab", digits);
    check("epoch = 3", "epoch = 3\nepoch = 4", "line 6: not TOML: duplicate key");
    let keys = "a checkpoint has format, network, epoch and validators";
    let unknown = format!("line 4: unknown key `Network`; {keys}");
    check("network", "Network", &format!("line 1: `network` is missing; {unknown}"));
}

#[test]
fn every_error_of_a_validator_has_its_line() {
    let text = write(&checkpoint(3, 2));
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = (lines[6], lines[7]);
    check(first, "    3,", "line 7: expected a did:key in quotes");
    let did = "line 7: not a did:key of an Ed25519 key (it starts with did:key:z6Mk)";
    check("did:key:z6Mk", "did:key:z6Mj", did);
    check(second, first, "line 8: this validator is named twice");
    let none = "line 6: a committee has 1 to 100 validators, not 0";
    check(&format!("\n{first}\n{second}\n"), "", none);
}

#[test]
fn several_errors_are_told_together() {
    let error =
        read("format = 1\nnetwork = 5\nepoch = 0.5\nvalidators = [\"x\", \"y\"]").unwrap_err();
    let lines: Vec<_> = error.errors().iter().map(|error| error.line).collect();
    assert_eq!(lines, [2, 3, 4, 4]);
    assert_eq!(read("").unwrap_err().to_string(), "line 1: `format` is missing");
    let long = format!("{}#{}", write(&checkpoint(0, 1)), " ".repeat(CHECKPOINT_BYTES_MAX));
    assert_eq!(read(&long).unwrap_err().errors()[0].problem, Problem::TooLong);
    let many = format!("format = 1\nvalidators = [{}]", "\"x\",".repeat(SEATS_MAX + 1));
    assert!(read(&many).unwrap_err().to_string().ends_with("validators, not 101"));
}

proptest! {
    #[test]
    fn what_is_written_is_read(epoch: u64, seats in 1u8..=SEATS_MAX as u8) {
        let checkpoint = checkpoint(epoch, seats);
        let text = write(&checkpoint);
        prop_assert!(text.len() <= CHECKPOINT_BYTES_MAX);
        prop_assert_eq!(read(&text), Ok(checkpoint));
    }

    #[test]
    fn garbage_never_panics(text: String, cut: prop::sample::Index) {
        let _ = read(&text);
        let whole = write(&checkpoint(3, 2));
        let at = cut.index(whole.len());
        let _ = read(&[&whole[..at], &text, &whole[at..]].concat());
    }
}
