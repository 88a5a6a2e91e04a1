//! Sealed content: one node stores it, another keeps its key, and neither ever has a word of it
//! on its disk, in its log or on the wire.

use crate::cluster::Cluster;
use crate::common::{Person, text};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is looked for.
const CANARY: &str = "canary-7f3a9c51-";
/// The node that stores, and the one that keeps the key.
const STORE: usize = 0;
const KEEPER: usize = 1;
const TERMS: &str = "terms = 1\ngrants = [\"call\", \"fetch\"]\nrevoke_if = [\"owner\"]\n\
    [price]\nper_call = \"0.001\"\n";
const NO_FETCH: &str = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0.001\"\n";

/// Passes on what is said to a node and by it, and keeps all of it.
struct Wire {
    url: String,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (node, said) = (node.trim_start_matches("http://").to_owned(), Arc::default());
        let kept = Arc::clone(&said);
        thread::spawn(move || {
            for here in listener.incoming() {
                let (here, there) = (here.unwrap(), TcpStream::connect(&node).unwrap());
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let kept = Arc::clone(&kept);
                    thread::spawn(move || pass(from, to, &kept));
                }
            }
        });
        Self { url, said }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.unwrap_or_default(),
        };
        kept.lock().unwrap().extend_from_slice(&buffer[..count]);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            // The other side may have gone first.
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

/// Whether bytes say the canary, plain or as hexadecimal digits.
fn sings(bytes: &[u8]) -> bool {
    let digits: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    [CANARY.as_bytes(), digits.as_bytes()]
        .iter()
        .any(|word| bytes.windows(word.len()).any(|window| window == *word))
}

/// The files below a directory.
fn files_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] }).collect()
}

struct Scene {
    cluster: Cluster,
    wires: [Wire; 2],
    records: PathBuf,
}

impl Scene {
    fn open() -> Self {
        let cluster = Cluster::start_logging(2);
        let wires = [STORE, KEEPER].map(|node| Wire::to(cluster.url(node)));
        let records = cluster.path("records");
        fs::create_dir_all(records.join("deep")).unwrap();
        // More than one chunk, and lengths that fall on and beside their borders.
        for (name, lines) in [("one.txt", 1), ("deep/two.txt", 3_000), ("three.txt", 0)] {
            let line = |n: usize| format!("{CANARY}{n}\n");
            fs::write(records.join(name), (0..lines).map(line).collect::<String>()).unwrap();
        }
        Self { cluster, wires, records }
    }

    /// Somebody with an account, who talks to the node that stores.
    fn person(&self, name: &str) -> Person {
        let person = Person::new(&self.cluster.path(name), &self.wires[STORE].url);
        person.json(&["key", "new", name]);
        person.json(&["account", "fund", "100", "--as", name]);
        person
    }

    fn keeper(&self) -> &str {
        &self.wires[KEEPER].url
    }

    /// Publishes the records sealed; the id.
    fn publish(&self, owner: &Person, terms: &str) -> String {
        let terms = self.cluster.write("terms.toml", terms);
        let publish = ["publish", self.records.to_str().unwrap(), "--kind", "dataset"];
        let how = ["--name", "R", "--terms", &terms, "--sealed", "--key-node", self.keeper()];
        let id = text(&owner.json(&[&publish[..], &how].concat()), "id");
        self.cluster.agree();
        id
    }

    fn license(&self, person: &Person, id: &str) -> String {
        let grant = text(&person.json(&["license", id, "--no-channel", "--yes"]), "grant");
        self.cluster.agree();
        grant
    }

    fn fetch<'a>(&'a self, id: &'a str, out: &'a Path) -> [&'a str; 6] {
        ["fetch", id, "--out", out.to_str().unwrap(), "--key-node", self.keeper()]
    }

    fn is_whole(&self, out: &Path) {
        for name in ["one.txt", "deep/two.txt", "three.txt"] {
            let (was, is) = (fs::read(self.records.join(name)), fs::read(out.join(name)));
            assert_eq!(was.unwrap(), is.unwrap(), "{name}");
        }
    }

    /// Looks for the canary wherever a node could have left it.
    fn is_silent(&self) {
        for node in [STORE, KEEPER] {
            let mut looked = files_of(&self.cluster.home(node));
            looked.push(self.cluster.path(&format!("{node}.log")));
            for file in &looked {
                assert!(!sings(&fs::read(file).unwrap()), "{}", file.display());
            }
            assert!(looked.len() > 10, "{looked:?}");
            let said = self.wires[node].said.lock().unwrap();
            assert!(said.len() > 1_000 && !sings(&said), "on the wire to node {node}");
        }
        let log = fs::read_to_string(self.cluster.path(&format!("{KEEPER}.log"))).unwrap();
        assert!(log.contains("the key was released"), "what is looked through is the log");
    }
}

#[test]
fn nobody_but_licensees_reads_what_is_sealed() {
    let scene = Scene::open();
    let [owner, reader, stranger] = ["owner", "reader", "stranger"].map(|who| scene.person(who));
    let id = scene.publish(&owner, TERMS);
    assert!(owner.run(&["show", &id]).out.contains("bytes, sealed"));
    let grant = scene.license(&reader, &id);

    // Without a grant there is neither content nor key.
    let nowhere = scene.cluster.path("nowhere");
    stranger.run(&scene.fetch(&id, &nowhere)).failed(3, "grant_missing");
    // The node that stores has no key to give.
    let out = scene.cluster.path("out");
    let without = ["fetch", &id, "--out", out.to_str().unwrap()];
    reader.run(&without).failed(4, "content_key_missing");
    assert!(!out.exists() && !nowhere.exists(), "nothing is written before there is a key");

    let fetched = reader.json(&scene.fetch(&id, &out));
    assert_eq!((&fetched["files"], &fetched["sealed"]), (&3.into(), &true.into()), "{fetched}");
    scene.is_whole(&out);
    // As an interrupt leaves it: what is there is sealed anew, and so recognised.
    fs::remove_file(out.join("one.txt")).unwrap();
    assert_eq!(reader.json(&scene.fetch(&id, &out))["kept"], 2);
    scene.is_whole(&out);
    let mine = scene.cluster.path("mine");
    owner.json(&scene.fetch(&id, &mine));
    scene.is_whole(&mine);
    // Whoever stores can be checked without the key.
    let verified = reader.run(&["verify", &id]);
    assert!(verified.out.contains("belong to their roots, sealed"), "{verified:?}");

    owner.json(&["grant", "revoke", &grant]);
    scene.cluster.agree();
    let late = scene.cluster.path("late");
    reader.run(&scene.fetch(&id, &late)).failed(3, "grant_missing");
    scene.is_silent();
}

#[test]
fn a_grant_without_fetch_and_a_damaged_key_open_nothing() {
    let scene = Scene::open();
    let [owner, reader] = ["owner", "reader"].map(|who| scene.person(who));
    let id = scene.publish(&owner, NO_FETCH);
    scene.license(&reader, &id);
    let out = scene.cluster.path("out");
    reader.run(&scene.fetch(&id, &out)).failed(3, "right_not_granted");
    let kept = scene.cluster.home(KEEPER).join("sealed").join(&id);
    let mut wrapped = fs::read(&kept).unwrap();
    wrapped[40] ^= 1;
    fs::write(&kept, wrapped).unwrap();
    owner.run(&scene.fetch(&id, &out)).failed(5, "content_key_wrong");
    assert!(!out.exists());
}
