use super::*;
use crate::corpus::Stretch;
use crate::disk::{Faults, Operation};
use crate::words::{ends_word, words};
use ambar_attribution::{Occurrence, Proven, RetrievalParameters, SpanParameters};
use proptest::prelude::*;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

/// Records by title, with contributor and text.
type Model = BTreeMap<String, (u32, String)>;

fn listed(model: &Model) -> Vec<Listed> {
    let listed = |(title, (contributor, text)): (&String, &(u32, String))| Listed {
        title: title.clone(),
        contributor: *contributor,
        source: Digest::of(text.as_bytes()),
    };
    model.iter().map(listed).collect()
}

/// The corpus of `model` in `directory`, made from `base`; also how many texts were read.
fn updated(
    disk: &Disk,
    directory: &Path,
    base: Option<&Corpus>,
    model: &Model,
) -> Result<(Corpus, usize), CorpusError> {
    let (texts, mut read): (Vec<_>, _) = (model.values().map(|(_, text)| text).collect(), 0);
    let text = |index: usize| {
        read += 1;
        Ok::<_, CorpusError>(texts[index].as_bytes().to_vec())
    };
    let corpus = Corpus::update_on(disk, directory, base, &listed(model), text, &mut |_| ())?;
    Ok((corpus, read))
}

fn model(records: &[(&str, u32, &str)]) -> Model {
    let record = |(title, contributor, text): &(&str, u32, &str)| {
        ((*title).to_owned(), (*contributor, (*text).to_owned()))
    };
    records.iter().map(record).collect()
}

/// One corpus of one segment, built of the same records elsewhere.
fn alone(model: &Model) -> (TempDir, Corpus) {
    let directory = tempfile::tempdir().unwrap();
    let (corpus, _) = updated(&Disk::default(), directory.path(), None, model).unwrap();
    assert_eq!(corpus.segments(), 1);
    (directory, corpus)
}

const PARAMETERS: SpanParameters =
    SpanParameters { span_bytes_min: 3, count_max: 50, occurrences_max: 16, spans_max: 512 };

/// Both find the same, and every span of the first is proven to who has the root.
fn check_same(corpus: &Corpus, other: &Corpus, output: &str) {
    let spans = corpus.trace(output.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap();
    assert_eq!(spans, other.trace(output.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap());
    let parameters =
        RetrievalParameters { passages_max: 9, floor_thousandths: 0, ..Default::default() };
    let found = corpus.retrieve(output.as_bytes(), Digest::ZERO, &parameters).unwrap();
    assert_eq!(found, other.retrieve(output.as_bytes(), Digest::ZERO, &parameters).unwrap());
    let (mut words, mut stretches, mut expect) = (Vec::new(), Vec::new(), Vec::new());
    for span in &spans.spans {
        for Occurrence { document, contributor, offset } in &span.occurrences {
            words.push(&output.as_bytes()[span.start as usize..span.end as usize]);
            let (document, offset, bytes) = (*document, *offset, span.bytes());
            stretches.push(Stretch { document, offset, bytes });
            expect.push(Proven { document, contributor: *contributor, offset });
        }
    }
    let proofs = corpus.prove_all(&stretches).unwrap();
    assert_eq!(proofs.len(), stretches.len());
    for (at, proof) in proofs.iter().enumerate() {
        assert_eq!(proof.verify(&other.root(), words[at]), Ok(expect[at]));
        assert_eq!(corpus.prove(stretches[at]).as_ref().unwrap(), proof);
    }
}

/// Every stretch of whole words of `output`, and how often it stands in the records.
fn brute_force(model: &Model, output: &str) -> Vec<(u32, u32, u32)> {
    let output = output.as_bytes();
    let count = |span: &[u8]| {
        let within = |(_, text): &(u32, String)| {
            let text = text.as_bytes();
            let whole = |end: usize| text.get(end).is_none_or(|byte| ends_word(*byte));
            let fits = |at: usize| text[at..].starts_with(span) && whole(at + span.len());
            words(text).filter(|word| fits(word.start)).count() as u32
        };
        model.values().map(within).sum::<u32>()
    };
    let all: Vec<_> = words(output).collect();
    let mut spans = Vec::new();
    for (index, first) in all.iter().enumerate() {
        for last in &all[index..] {
            let found = count(&output[first.start..last.end]);
            if found > 0 {
                spans.push((first.start as u32, last.end as u32, found));
            }
        }
    }
    let within =
        |span: &(u32, u32, u32), o: &(u32, u32, u32)| o.0 <= span.0 && span.1 <= o.1 && o != span;
    let maximal = |span: &&(u32, u32, u32)| !spans.iter().any(|other| within(span, other));
    let kept = |s: &&(u32, u32, u32)| {
        s.1 - s.0 >= PARAMETERS.span_bytes_min && s.2 <= PARAMETERS.count_max
    };
    spans.iter().filter(maximal).filter(kept).copied().collect()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u32, String),
    Withdraw(u8),
    Merge,
    Reopen,
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    let text = "[ab] ?[ab .’é]{1,24}";
    prop_oneof![
        4 => (0u8..9, 0u32..3, text).prop_map(|(title, who, text)| Step::Put(title, who, text)),
        2 => (0u8..9).prop_map(Step::Withdraw),
        2 => Just(Step::Merge),
        1 => Just(Step::Reopen),
        1 => Just(Step::Move),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_history_gives_what_its_records_give(
        steps in proptest::collection::vec(step(), 1..24),
        output in "[abc .’é\u{20ac}]{0,30}",
    ) {
        let mut places = vec![tempfile::tempdir().unwrap()];
        let mut model = model(&[("first", 1, "a b a")]);
        let (mut corpus, _) = updated(&Disk::default(), places[0].path(), None, &model).unwrap();
        for step in steps {
            let place = places.last().unwrap().path().to_owned();
            match step {
                Step::Put(title, who, text) => {
                    model.insert(title.to_string(), (who, text));
                }
                Step::Withdraw(title) => {
                    model.remove(&title.to_string());
                }
                Step::Merge => {
                    let root = corpus.root();
                    while let Some(merged) = corpus.merge(&mut |_| ()).unwrap() {
                        corpus = merged;
                    }
                    prop_assert_eq!(root, corpus.root());
                }
                Step::Reopen => corpus = Corpus::open(&place).unwrap(),
                Step::Move => places.push(tempfile::tempdir().unwrap()),
            }
            let place = places.last().unwrap().path();
            corpus = updated(&Disk::default(), place, Some(&corpus), &model).unwrap().0;
        }
        prop_assert!(corpus.follows_from_its_records().unwrap());
        let (_elsewhere, other) = alone(&model);
        prop_assert_eq!(corpus.root(), other.root());
        check_same(&corpus, &other, &output);
        let evidence = corpus.trace(output.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap();
        let spans: Vec<_> = evidence.spans.iter().map(|s| (s.start, s.end, s.count)).collect();
        prop_assert_eq!(spans, brute_force(&model, &output));
    }
}

const ARMY: &str = "Our army crossed the river near the old mill, and the enemy withdrew.";
const BANK: &str = "The bank of the people failed. Every bank closed its doors on Monday.";
const MILL: &str = "The old mill by the river was sold, and the enemy withdrew its offer.";

#[test]
fn only_what_is_new_is_read() {
    let place = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let mut model = model(&[("army", 0, ARMY), ("bank", 1, BANK)]);
    let (first, read) = updated(&disk, place.path(), None, &model).unwrap();
    assert_eq!(read, 2);
    // Another contributor is another leaf of the same text.
    model.insert("mill".into(), (2, MILL.into()));
    model.insert("army".into(), (7, ARMY.into()));
    let next = tempfile::tempdir().unwrap();
    let (second, read) = updated(&disk, next.path(), Some(&first), &model).unwrap();
    assert_eq!((read, second.segments()), (1, 2));
    let evidence = second.trace(b"the enemy withdrew", Digest::ZERO, &PARAMETERS).unwrap();
    let contributors: Vec<u32> =
        evidence.spans[0].occurrences.iter().map(|o| o.contributor).collect();
    assert_eq!((evidence.spans[0].count, contributors), (2, vec![7, 2]));
    // The same title with another text is another record; the withdrawn is gone at once.
    model.insert("army".into(), (7, BANK.into()));
    let (third, read) = updated(&disk, next.path(), Some(&second), &model).unwrap();
    assert_eq!(read, 1);
    assert_eq!(third.count(b"army crossed").unwrap(), 0);
    assert_eq!(second.count(b"army crossed").unwrap(), 1);
    assert_eq!(third.count(b"the enemy withdrew").unwrap(), 1);
    // Both directories stand on their own.
    drop((first, second));
    fs::remove_dir_all(place.path()).unwrap();
    assert_eq!(Corpus::open(next.path()).unwrap().root(), third.root());
}

#[test]
fn the_same_history_makes_the_same_files() {
    let files = |place: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| (path.file_name().unwrap().into(), fs::read(path).unwrap());
        entries.map(read).collect()
    };
    let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for place in &places {
        let mut model = Model::new();
        let mut corpus = None;
        for n in 0..9u32 {
            model.insert(format!("record {n}"), (n, format!("{ARMY} {n}")));
            corpus =
                Some(updated(&Disk::default(), place.path(), corpus.as_ref(), &model).unwrap().0);
            while let Some(merged) = corpus.as_ref().unwrap().merge(&mut |_| ()).unwrap() {
                corpus = Some(merged);
            }
        }
        assert!(corpus.unwrap().segments() < 4);
    }
    assert_eq!(files(places[0].path()), files(places[1].path()));
}

/// Fails everything from an operation on, as a process that has ended does; notes what was
/// done before.
struct Ends {
    left: Mutex<usize>,
    done: Mutex<Vec<(Operation, PathBuf)>>,
}

impl Ends {
    fn after(operations: usize) -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(operations), done: Mutex::default() })
    }
}

impl Faults for Ends {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the end"))?;
        self.done.lock().unwrap().push((operation, path.to_owned()));
        Ok(())
    }
}

/// Does `change` with a crash before each of its operations in turn, and once without; after
/// each crash the corpus of the directory is the old one or the new one, and stays usable.
fn crashes(
    old: &Model,
    new: &Model,
    change: impl Fn(&Disk, &Path) -> Result<Digest, CorpusError>,
) -> usize {
    let (_old, old) = alone(old);
    let (_new, new) = alone(new);
    for operations in 0.. {
        let place = tempfile::tempdir().unwrap();
        start(place.path());
        let ends = Ends::after(operations);
        let done = change(&Disk::with_faults(ends.clone()), place.path());
        check_order(&ends.done.lock().unwrap());
        let corpus = Corpus::open(place.path()).unwrap();
        assert!(corpus.mended().is_empty(), "{:?}", corpus.mended());
        let expect = if corpus.root() == new.root() { &new } else { &old };
        assert_eq!(corpus.root(), expect.root());
        check_same(&corpus, expect, ARMY);
        // Nothing is left of what was not accepted.
        let files = fs::read_dir(place.path()).unwrap().count();
        assert_eq!(files, 1 + 2 * corpus.segments(), "after {operations} operations");
        if let Ok(root) = done {
            assert_eq!((root, corpus.root()), (new.root(), new.root()));
            return operations;
        }
        let again = change(&Disk::default(), place.path()).unwrap();
        assert_eq!(again, new.root());
    }
    unreachable!("some number of operations is enough")
}

/// Four segments, of which one record is dead.
fn start(place: &Path) -> Corpus {
    let mut model = Model::new();
    let mut corpus = None;
    for (title, text) in [("army", ARMY), ("bank", BANK), ("mill", MILL), ("more", ARMY)] {
        model.insert(title.into(), (0, text.into()));
        corpus = Some(updated(&Disk::default(), place, corpus.as_ref(), &model).unwrap().0);
    }
    corpus.unwrap()
}

/// Before a name is given to a file its bytes are durable, and before the manifest's, so are
/// the names of all others.
fn check_order(done: &[(Operation, PathBuf)]) {
    let (mut synced, mut names_durable) = (BTreeSet::new(), true);
    for (operation, path) in done {
        match operation {
            Operation::Create | Operation::Write => drop(synced.remove(path)),
            Operation::SyncFile => drop(synced.insert(path.clone())),
            Operation::SyncDirectory => names_durable = true,
            Operation::Link => names_durable = false,
            Operation::Rename => {
                let new = PathBuf::from(format!("{}.new", path.display()));
                assert!(synced.contains(&new), "{} was not durable", new.display());
                let manifest = path.file_name().is_some_and(|name| name == "manifest");
                assert!(names_durable || !manifest, "names were not durable");
                names_durable = false;
            }
            Operation::Remove => assert!(names_durable, "the new manifest was not durable"),
        }
    }
}

fn opened(disk: &Disk, place: &Path) -> Result<Corpus, CorpusError> {
    Corpus::open_on(disk.clone(), place)
}

#[test]
fn a_crash_of_ingest_loses_nothing() {
    let old = model(&[("army", 0, ARMY), ("bank", 0, BANK), ("mill", 0, MILL), ("more", 0, ARMY)]);
    let mut new = old.clone();
    new.remove("bank");
    new.insert("next".into(), (0, "What came next, near the old mill.".into()));
    let operations = crashes(&old, &new, |disk, place| {
        let base = opened(disk, place)?;
        Ok(updated(disk, place, Some(&base), &new)?.0.root())
    });
    assert!(operations > 12, "{operations}");
}

#[test]
fn a_crash_of_a_merge_loses_nothing() {
    let all = model(&[("army", 0, ARMY), ("bank", 0, BANK), ("mill", 0, MILL), ("more", 0, ARMY)]);
    let operations = crashes(&all, &all, |disk, place| {
        let mut corpus = opened(disk, place)?;
        while let Some(merged) = corpus.merge(&mut |_| ())? {
            corpus = merged;
        }
        assert_eq!(corpus.segments(), 1);
        Ok(corpus.root())
    });
    assert!(operations > 12, "{operations}");
}

#[test]
fn a_crash_of_a_snapshot_loses_nothing() {
    let all = model(&[("army", 0, ARMY), ("bank", 0, BANK), ("mill", 0, MILL), ("more", 0, ARMY)]);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    let operations = crashes(&all, &all, |disk, place| {
        let corpus = opened(disk, place)?;
        let _ = fs::remove_dir_all(&copy);
        let (copied, read) = updated(disk, &copy, Some(&corpus), &all)?;
        assert_eq!(read, 0);
        assert_eq!(Corpus::open(&copy)?.root(), copied.root());
        Ok(copied.root())
    });
    assert!(operations > 8, "{operations}");
}

#[test]
fn a_damaged_index_is_named_and_made_again() {
    let place = tempfile::tempdir().unwrap();
    let corpus = start(place.path());
    for part in &corpus.parts {
        let [_, index] = crate::segment::paths(place.path(), &part.segment.id());
        let bytes = fs::read(&index).unwrap();
        for damaged in [&bytes[..bytes.len() - 3], b""] {
            fs::write(&index, damaged).unwrap();
            let mended = Corpus::open(place.path()).unwrap();
            assert_eq!(mended.root(), corpus.root());
            let named = mended.mended().iter().map(ToString::to_string).collect::<String>();
            assert!(named.starts_with(&index.display().to_string()), "{named}");
            assert_eq!(fs::read(&index).unwrap(), bytes, "bit for bit");
        }
        fs::remove_file(&index).unwrap();
        assert_eq!(Corpus::open(place.path()).unwrap().mended().len(), 1);
        assert!(Corpus::open(place.path()).unwrap().mended().is_empty());
    }
}

#[test]
fn damaged_records_are_named_and_only_they_are_read_again() {
    let place = tempfile::tempdir().unwrap();
    let corpus = start(place.path());
    let [records, _] = crate::segment::paths(place.path(), &corpus.parts[1].segment.id());
    let mut bytes = fs::read(&records).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(&records).unwrap();
    fs::write(&records, &bytes).unwrap();
    let error = Corpus::open(place.path()).unwrap_err();
    assert!(error.to_string().starts_with(&records.display().to_string()), "{error}");
    let rest = Corpus::salvage(place.path()).unwrap();
    assert_eq!((rest.documents(), rest.segments()), (3, 3));
    let all = model(&[("army", 0, ARMY), ("bank", 0, BANK), ("mill", 0, MILL), ("more", 0, ARMY)]);
    let (whole, read) = updated(&Disk::default(), place.path(), Some(&rest), &all).unwrap();
    assert_eq!((whole.root(), read), (corpus.root(), 1));
    assert_eq!(Corpus::open(place.path()).unwrap().root(), corpus.root());
}

#[test]
fn who_reads_reads_on_while_segments_are_merged() {
    let place = tempfile::tempdir().unwrap();
    let old = start(place.path());
    let before = old.trace(ARMY.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap();
    let merged = old.merge(&mut |_| ()).unwrap().unwrap();
    assert_eq!((old.segments(), merged.segments()), (4, 1));
    assert_eq!(old.trace(ARMY.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap(), before);
    assert_eq!(merged.trace(ARMY.as_bytes(), Digest::ZERO, &PARAMETERS).unwrap(), before);
    // Its files have no name any more, and can still be copied.
    let elsewhere = tempfile::tempdir().unwrap();
    let all = model(&[("army", 0, ARMY), ("bank", 0, BANK), ("mill", 0, MILL), ("more", 0, ARMY)]);
    let (copy, read) = updated(&Disk::default(), elsewhere.path(), Some(&old), &all).unwrap();
    assert_eq!((copy.root(), read), (old.root(), 0));
    assert_eq!(Corpus::open(elsewhere.path()).unwrap().segments(), 4);
}
