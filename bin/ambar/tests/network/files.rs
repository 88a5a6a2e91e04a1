//! Chain files of a real network: exported from a node and from a home, checked, imported in
//! parts, and refused where they are damaged.

use crate::cluster::{Cluster, agree, digest, height};
use crate::common::{NOBODY, Person, text};
use crate::support::market::until;
use serde_json::Value;
use std::fs;

/// Blocks that the network makes before they are exported.
const BLOCKS: u64 = 12;

fn export(person: &Person, out: &str, more: &[&str]) -> Value {
    person.json(&[&["chain", "export", "--out", out], more].concat())
}

#[test]
fn a_chain_is_exported_checked_and_imported() {
    let mut cluster = Cluster::start(4);
    until("some blocks are made", || (height(cluster.url(0))? >= BLOCKS).then_some(()));
    agree(&cluster.urls());
    let asking = Person::new(&cluster.path("copy"), cluster.url(0));
    let path = |name: &str| cluster.path(name).to_str().unwrap().to_owned();
    let (all, head, tail) = (path("all.chain"), path("head.chain"), path("tail.chain"));
    let whole = export(&asking, &all, &[]);
    let last = whole["last"].as_u64().unwrap();
    let newest = digest(cluster.url(0), last);
    let first_part = export(&asking, &head, &["--to", "5"]);
    let next = (first_part["last"].as_u64().unwrap() + 1).to_string();
    let last_text = last.to_string();
    export(&asking, &tail, &["--from", &next, "--to", &last_text]);

    let checked = asking.json(&["chain", "check", &all]);
    assert_eq!(
        (checked["height"].as_u64(), text(&checked, "digest")),
        (Some(last), newest.clone())
    );

    // In parts, of which the second alone says what is missing.
    asking.run(&["chain", "import", &tail]).failed(2, "invalid_request");
    asking.json(&["chain", "import", &head]);
    let imported = asking.json(&["chain", "import", &tail]);
    assert_eq!(text(&imported, "digest"), newest);
    assert_eq!(imported["blocks"].as_u64(), Some(last + 1 - next.parse::<u64>().unwrap()));
    let again = asking.json(&["chain", "import", &all]);
    assert_eq!((again["blocks"].as_u64(), text(&again, "digest")), (Some(0), newest));

    // What was imported is exported as it was.
    let copied = path("copied.chain");
    export(&asking, &copied, &["--at-rest", "--to", &last_text]);
    let same = asking.json(&["chain", "check", &copied]);
    assert_eq!(same, checked);

    damaged(&cluster, &all);
    refused_homes(&mut cluster);
}

/// All validators are stopped, and go on with stores that their engines have never seen, as they
/// would with an engine that cannot read the old ones.
#[test]
fn a_network_goes_on_from_a_chain_file() {
    let mut cluster = Cluster::start(4);
    until("some blocks are made", || (height(cluster.url(0))? >= BLOCKS).then_some(()));
    let asking = Person::new(&cluster.path("asking"), cluster.url(0));
    asking.json(&["key", "new", "ann"]);
    asking.json(&["account", "fund", "7", "--as", "ann"]);
    (0..4).for_each(|node| cluster.kill(node));
    let exported = |node: usize| {
        let file = cluster.path(&format!("{node}.chain")).to_str().unwrap().to_owned();
        let home = Person::new(&cluster.home(node), NOBODY);
        (export(&home, &file, &["--at-rest"])["last"].as_u64().unwrap(), file)
    };
    let (last, file) = (0..4).map(exported).max().unwrap();
    for node in 0..4 {
        let home = cluster.home(node);
        fs::rename(home.join("ledger"), home.join("ledger.old")).unwrap();
        Person::new(&home, NOBODY).json(&["chain", "import", &file]);
    }
    cluster.start_with(&[0, 1, 2, 3], &["--resume"]);
    let asking = Person::new(&cluster.path("asking"), cluster.url(1));
    asking.json(&["account", "fund", "5", "--as", "ann"]);
    // Another node may hear of the same block a moment later.
    until("blocks follow", || (height(cluster.url(0))? > last).then_some(()));
    cluster.agree();
    (0..4).for_each(|node| cluster.kill(node));
    cluster.start_again(&[0, 1, 2, 3]);
    let asking = Person::new(&cluster.path("asking"), cluster.url(2));
    let account = asking.json(&["account", "show", "--as", "ann"]);
    assert!(account.to_string().contains("12"), "{account}");
    assert_eq!(asking.json(&["audit"])["ok"], true);
}

/// Files that are not as they were written change nothing.
fn damaged(cluster: &Cluster, file: &str) {
    let bytes = fs::read(file).unwrap();
    let home = Person::new(&cluster.path("victim"), cluster.url(0));
    let refused = |bytes: &[u8], says: &str| {
        let path = cluster.write("damaged.chain", bytes);
        let ran = home.run(&["chain", "import", &path]);
        ran.failed(5, "chain_file_invalid");
        assert!(ran.err.contains("damaged.chain at byte ") && ran.err.contains(says), "{ran:?}");
    };
    refused(b"PK\x03\x04 something else", "it is no chain file");
    let mut changed = bytes.clone();
    let middle = bytes.len() / 2;
    changed[middle] ^= 1;
    refused(&changed, "");
    refused(&bytes[..bytes.len() - 40], "it ends here, too early");
    // What was right of them stays, and a whole file goes on from there.
    let imported = home.json(&["chain", "import", file]);
    assert!(imported["height"].as_u64().unwrap() >= BLOCKS, "{imported}");
}

/// Nothing is imported where a node has run, or into a home of another network.
fn refused_homes(cluster: &mut Cluster) {
    let file = cluster.path("all.chain").to_str().unwrap().to_owned();
    cluster.kill(3);
    let validator = Person::new(&cluster.home(3), cluster.url(0));
    validator.run(&["chain", "import", &file]).failed(5, "home_mismatch");
    let mut stranger = Cluster::start(1);
    let home = Person::new(&stranger.home(0), cluster.url(0));
    home.run(&["chain", "import", &file]).failed(6, "home_in_use");
    stranger.kill(0);
    home.run(&["chain", "import", &file]).failed(3, "wrong_network");
}
