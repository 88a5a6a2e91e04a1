//! The whole loop over HTTP with an engine that costs nothing: publish, license, call,
//! receipt, settlement; and what is said of it afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use ambar_attribution::SpanProof;
use ambar_base::amount::total;
use ambar_base::{Amount, Cid, Coded, Digest, ErrorCode, PublicKey};
use ambar_capsule::{Contributor, ContributorTable, Manifest};
use ambar_licence::{Right, Terms};
use ambar_node::api::dto::{Receipt, Statement, TraceAnswer, TraceRequest, TraceSpan};
use ambar_node::client::{Client, Credential, ReceiptQuery};
use ambar_node::progress::{Phase, Work};
use ambar_node::{Gauge, Home, Node, Running, audit};
use ambar_receipt::verify;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use support::{Person, chat, dataset, model, prompt, settings, start, terms};

const SPEECHES: [(&str, &str); 3] = [
    (
        "contributors.toml",
        "[[record]]\npath = \"one.txt\"\nname = \"Ann\"\n[[record]]\npath = \"two.txt\"\nname = \"Bo\"\n",
    ),
    ("one.txt", "The harbour lamp was lit at dusk and the ferry waited by the stone pier.\n"),
    ("two.txt", "Winter wheat was sown late that year, after the long rains of September.\n"),
];

/// What the tests of one node share.
struct Scene {
    node: Running,
    owner: Person,
    caller: Person,
    operator: Person,
    prompt: Cid,
    datanet: Cid,
    certificate: String,
    channel: u64,
}

fn table() -> ContributorTable {
    let names = ["Ann", "Bo"].map(|name| Contributor::Name(name.to_owned()));
    ContributorTable::new(names.into()).unwrap()
}

fn rights() -> Terms {
    terms(&[Right::Call, Right::Compose, Right::Fetch], 2_000_000)
}

async fn publish_all(owner: &Person, operator: &Person) -> (Cid, Cid) {
    let content = owner.upload(&SPEECHES).await;
    let records = dataset(owner.id, content, &table());
    let datanet = owner.publish(records, &rights(), Some(&table()), vec![]).await;
    let content = owner.upload(&[("README.md", "A parrot.")]).await;
    let parrot = owner.publish(model(owner.id, content.clone()), &rights(), None, vec![]).await;
    let model_grant = owner.accept(parrot, &rights()).await;
    let datanet_grant = owner.accept(datanet, &rights()).await;
    let asking = prompt(owner.id, content, parrot, datanet);
    let grants = vec![model_grant, datanet_grant];
    let asking = owner.publish(asking, &rights(), None, grants).await;
    for version in [datanet, parrot, asking] {
        owner.allow(version).await;
    }
    operator.serve(datanet, None).await;
    operator.serve(parrot, Some("null:tokens=6")).await;
    operator.serve(asking, None).await;
    (asking, datanet)
}

impl Scene {
    async fn new(home: &Path) -> Self {
        let node = start(home).await;
        let owner = Person::new(&node, "100").await;
        let caller = Person::new(&node, "100").await;
        let operator = Person::operator(&node, home).await;
        let (prompt, datanet) = publish_all(&owner, &operator).await;
        let grant = caller.accept(prompt, &rights()).await;
        let (channel, certificate) = caller.channel(vec![grant], 20).await;
        Self { node, owner, caller, operator, prompt, datanet, certificate, channel }
    }

    async fn call(&self, question: &str) -> String {
        let model = self.prompt.to_string();
        let (status, head, body) = chat(&self.node, &self.certificate, &model, question).await;
        assert_eq!(status, 200, "{body}");
        let header = head.lines().find_map(|line| line.strip_prefix("ambar-receipt: "));
        header.unwrap().to_owned()
    }

    async fn settled(&self, id: &str) -> Receipt {
        for _ in 0..200 {
            let receipt = self.caller.client.receipt(id).await.unwrap();
            if receipt.settled.is_some() {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("receipt {id} does not settle");
    }
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a str>) -> Amount {
    total(amounts.into_iter().map(|text| text.parse().unwrap())).unwrap()
}

fn balance(statement: &Statement) -> Amount {
    let side = |direction: &str| {
        let rows = statement.rows.iter().filter(|row| row.direction == direction);
        sum(rows.map(|row| row.amount.as_str()))
    };
    side("in").checked_sub(side("out")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_paid_proven_and_audited() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::new(home.path()).await;
    let id = scene.call("when was the harbour lamp lit").await;
    let receipt = scene.settled(&id).await;
    assert_eq!(receipt.lines.len(), 3);
    assert_eq!(receipt.payer, scene.caller.id.to_string());
    let paid = sum(receipt.payments.iter().map(|payment| payment.amount.as_str()));
    assert_eq!(paid, receipt.price.parse::<Amount>().unwrap());
    let ann = receipt.payments.iter().find(|payment| payment.name.as_deref() == Some("Ann"));
    assert_eq!(ann.map(|ann| ann.role.as_str()), Some("contributor"), "{receipt:#?}");
    proven(&scene, &id).await;
    listed(&scene, &id).await;
    balanced(&scene).await;
    let report = scene.caller.client.audit().await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!((report.calls, report.receipts, report.settled), (1, 1, 1));
    assert_eq!(report.debits, report.credits);
    scene.node.shutdown().await;
}

/// The exported file verifies with nothing but the network's checkpoint.
async fn proven(scene: &Scene, id: &str) {
    let client = &scene.caller.client;
    let (status, trusted) = (client.status().await.unwrap(), client.checkpoint().await.unwrap());
    let seats: Vec<String> = trusted.committee.seats().iter().map(PublicKey::did).collect();
    assert_eq!((&status.network_key, &status.validators), (&seats.first().cloned(), &seats));
    assert_eq!(status.epoch, trusted.committee.epoch());
    assert_eq!(client.network().await.unwrap(), trusted.network);
    for asker in [&scene.caller, &scene.owner, &scene.operator] {
        let file = asker.client.receipt_proof(id).await.unwrap();
        let report = verify(&file, Some(&trusted));
        assert!(report.ok, "{report:#?}");
        assert_eq!(report.receipt.map(|receipt| receipt.to_string()).as_deref(), Some(id));
    }
}

async fn listed(scene: &Scene, id: &str) {
    let client = &scene.caller.client;
    let account = scene.caller.id.to_string();
    let by_account = ReceiptQuery { account: Some(&account), ..ReceiptQuery::default() };
    assert_eq!(client.receipts(by_account).await.unwrap()[0].id, id);
    let channel = scene.channel.to_string();
    let by_channel = ReceiptQuery { channel: Some(&channel), ..ReceiptQuery::default() };
    assert_eq!(client.receipts(by_channel).await.unwrap().len(), 1);
    let holder = Client::new(&scene.node.base_url).unwrap();
    let holder = holder.with(Credential::Certificate(scene.certificate.clone()));
    let key = Some("when-was-the-harbour-lamp-lit");
    let by_key = ReceiptQuery { idempotency_key: key, ..ReceiptQuery::default() };
    assert_eq!(holder.receipts(by_key).await.unwrap()[0].id, id);
    assert_eq!(holder.receipt(id).await.unwrap().id, id);
    let stranger = Person::new(&scene.node, "1").await;
    let refused = stranger.client.receipt(id).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotAuthorised);
    assert_eq!(client.grants(&account).await.unwrap().len(), 1);
    assert_eq!(client.channels(&account).await.unwrap()[0].id, channel);
}

/// The rows of a statement sum to what the account holds.
async fn balanced(scene: &Scene) {
    for person in [&scene.caller, &scene.owner, &scene.operator] {
        let id = person.id.to_string();
        let account = person.client.account(&id).await.unwrap();
        let statement = person.client.statement(&id, None, Some(1_000)).await.unwrap();
        let held = sum([account.available.as_str(), account.pending.as_str()]);
        assert_eq!(balance(&statement), held, "{statement:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_and_the_trace_answer() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::new(home.path()).await;
    let client = &scene.caller.client;
    let found = client.search("speech", None, None).await.unwrap();
    assert_eq!(found.hits.len(), 2, "{found:?}");
    let found = client.search("speeches", Some("dataset"), None).await.unwrap();
    assert_eq!(found.hits[0].capsule.id, scene.datanet.to_string());
    let capsule = client.capsule(&scene.prompt.to_string()).await.unwrap();
    assert!(capsule.served);
    assert_eq!(capsule.uses.len(), 2);
    let lineage = client.lineage(&scene.prompt.to_string()).await.unwrap();
    assert_eq!((lineage.versions.len(), lineage.edges.len()), (3, 2));
    let changes = client.changes(1).await.unwrap();
    assert_eq!((changes.changes.len(), changes.next, changes.complete), (2, 3, true));
    let terms = client.terms(&capsule.terms.id).await.unwrap();
    assert_eq!(Terms::parse(&terms.terms.toml).unwrap(), rights());
    let request = TraceRequest {
        datanet: scene.datanet.to_string(),
        beside: vec![],
        text: "She said: the ferry waited by the stone pier, as ever.".into(),
        proofs: false,
    };
    let trace = client.trace(&request).await.unwrap();
    assert!(trace.spans.iter().all(|span| span.proof.is_none()));
    assert_eq!(trace.spans[0].document, "one.txt");
    assert_eq!(trace.spans[0].contributor, "Ann");
    assert_eq!(trace.shares[0].weight, "100%");
    let datanet = client.datanet(&scene.datanet.to_string()).await.unwrap();
    assert_eq!((datanet.contributors.len(), datanet.served), (2, true));
    fetched(&scene).await;
    scene.node.shutdown().await;
}

/// How many names the files of records have that a version's corpus consists of, ascending.
fn names_of_records(home: &Path, version: Cid) -> Vec<u64> {
    let directory = home.join("corpora").join(version.to_string());
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let records = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "records"));
    let mut names: Vec<u64> = records.map(|path| path.metadata().unwrap().nlink()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_takes_over_the_records_that_it_shares() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::new(home.path()).await;
    let mut speeches = SPEECHES;
    speeches[2].1 = "The orchard was grafted in March, before the first of the swallows.\n";
    let content = scene.owner.upload(&speeches).await;
    let records = dataset(scene.owner.id, content, &table());
    // Royalty lines are inherited from the version before.
    let records = Manifest { previous: vec![scene.datanet], royalty: vec![], ..records };
    let next = scene.owner.publish(records, &rights(), Some(&table()), vec![]).await;
    scene.owner.allow(next).await;
    assert_eq!(names_of_records(home.path(), scene.datanet), [1]);
    scene.operator.serve(next, None).await;
    // Its segment has a name in both directories; what is new is in one of its own.
    assert_eq!(names_of_records(home.path(), scene.datanet), [2]);
    assert_eq!(names_of_records(home.path(), next), [1, 2]);
    let found = async |version: Cid, text: &str| {
        let (datanet, text) = (version.to_string(), text.to_owned());
        let request = TraceRequest { datanet, beside: vec![], text, proofs: true };
        let trace = scene.owner.client.trace(&request).await.unwrap();
        if !trace.spans.is_empty() {
            occurrences_proven(&request.text, &trace);
        }
        let name = |span: &TraceSpan| span.contributor.clone();
        trace.spans.iter().map(name).collect::<Vec<_>>()
    };
    for (version, wheat, orchard) in [(scene.datanet, 1, 0), (next, 0, 1)] {
        assert_eq!(found(version, "The harbour lamp was lit at dusk").await, ["Ann"]);
        let bo = ["Bo".to_owned()];
        let wheats = found(version, "Winter wheat was sown late that year").await;
        assert_eq!(wheats, bo[..wheat]);
        let orchards = found(version, "The orchard was grafted in March").await;
        assert_eq!(orchards, bo[..orchard]);
    }
    let request = TraceRequest {
        datanet: scene.datanet.to_string(),
        beside: vec![next.to_string()],
        text: "Winter wheat was sown late; the orchard was grafted in March.".into(),
        proofs: true,
    };
    let trace = scene.owner.client.trace(&request).await.unwrap();
    occurrences_proven(&request.text, &trace);
    let datanets: Vec<&str> = trace.spans.iter().map(|span| span.datanet.as_str()).collect();
    assert_eq!(datanets, [scene.datanet.to_string(), next.to_string()]);
    let many = TraceRequest { beside: vec![next.to_string(); 16], ..request };
    let error = scene.caller.client.trace(&many).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    scene.node.shutdown().await;
}

/// A proof has words of the record that were not asked about.
#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_for_those_who_may_read_the_records() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::new(home.path()).await;
    let (mut speeches, did) = (SPEECHES, scene.caller.key.public().did());
    let file = SPEECHES[0].1.replace("name = \"Ann\"", &format!("did = \"{did}\""));
    speeches[0].1 = &file;
    let names = [Contributor::Account(scene.caller.id), Contributor::Name("Bo".to_owned())];
    let table = ContributorTable::new(names.into()).unwrap();
    let records = dataset(scene.owner.id, scene.owner.upload(&speeches).await, &table);
    let datanet = scene.owner.publish(records, &rights(), Some(&table), vec![]).await;
    scene.owner.allow(datanet).await;
    scene.operator.serve(datanet, None).await;
    let request = TraceRequest {
        datanet: datanet.to_string(),
        beside: vec![scene.datanet.to_string()],
        text: "The ferry waited by the stone pier: winter wheat was sown late that year.".into(),
        proofs: true,
    };
    let proven = async |asker: &Person| {
        let trace = asker.client.trace(&request).await.unwrap();
        let shown = |span: &TraceSpan| (span.document.clone(), span.proof.is_some());
        trace.spans.iter().map(shown).collect::<Vec<_>>()
    };
    let rows = |shown: [bool; 4]| {
        let titles = ["one.txt", "one.txt", "two.txt", "two.txt"].map(str::to_owned);
        titles.into_iter().zip(shown).collect::<Vec<_>>()
    };
    assert_eq!(proven(&scene.owner).await, rows([true; 4]));
    // Its own record here, nobody's of its own in the other datanet.
    assert_eq!(proven(&scene.caller).await, rows([true, false, false, false]));
    let reader = Person::new(&scene.node, "10").await;
    assert_eq!(proven(&reader).await, rows([false; 4]));
    reader.accept(datanet, &rights()).await;
    assert_eq!(proven(&reader).await, rows([true, false, true, false]));
    let nobody = Client::new(&scene.node.base_url).unwrap();
    let refused = nobody.trace(&request).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    scene.node.shutdown().await;
}

/// Whoever has the root and the text needs nothing else of the node.
fn occurrences_proven(text: &str, trace: &TraceAnswer) {
    assert!(!trace.spans.is_empty());
    for span in &trace.spans {
        let proof = BASE64_STANDARD.decode(span.proof.as_ref().unwrap()).unwrap();
        let proof = SpanProof::decode(&proof).unwrap();
        let words = &text.as_bytes()[span.start as usize..span.end as usize];
        let datanet = trace.datanets.iter().find(|datanet| datanet.id == span.datanet).unwrap();
        let root = datanet.root.parse().unwrap();
        let proven = proof.verify(&root, words).unwrap();
        assert_eq!(proven.offset, span.offset);
        assert_eq!(proof.title, Digest::of(span.document.as_bytes()));
        assert!(proof.verify(&root, &words[1..]).is_err());
    }
}

/// The table is public, a file is for those whose grant includes `fetch`.
async fn fetched(scene: &Scene) {
    let id = scene.datanet.to_string();
    let capsule = scene.caller.client.capsule(&id).await.unwrap();
    let nobody = Client::new(&scene.node.base_url).unwrap();
    let table = nobody.blob(&id, &capsule.content.table).await.unwrap();
    let table = ambar_node::files::FileTable::decode(&table).unwrap();
    let root = table.file("one.txt").unwrap().root.to_string();
    let code = |result: Result<Vec<u8>, ambar_node::client::ClientError>| {
        result.map_err(|error| error.code())
    };
    assert_eq!(code(nobody.blob(&id, &root).await), Err(ErrorCode::Unauthenticated));
    let denied = code(scene.caller.client.blob(&id, &root).await);
    assert_eq!(denied, Err(ErrorCode::RightNotGranted));
    let text = code(scene.owner.client.blob(&id, &root).await);
    assert_eq!(text.as_deref(), Ok(SPEECHES[1].1.as_bytes()));
}

/// Starts a node whose corpus has to be built again, and hears of it.
async fn start_told(home: &Path, datanet: Cid) -> Running {
    let gauge = Gauge::default();
    let (mut told, starting) = (gauge.watch(), Node::start_telling(settings(home), &gauge));
    let mut starting = std::pin::pin!(starting);
    let mut heard = Vec::new();
    let node = loop {
        tokio::select! {
            node = &mut starting => break node.unwrap(),
            Ok(()) = told.changed() => heard.push(*told.borrow_and_update()),
        }
    };
    assert!(!heard.is_empty(), "nothing was told");
    let own = |work: &Work| work.phase == Phase::Index || work.capsule.is_some();
    let idle = Work::default();
    assert!(heard.iter().all(|work| own(work) || work.phase == idle.phase), "{heard:?}");
    let corpus = heard.iter().filter(|work| work.capsule == Some(datanet));
    assert!(corpus.clone().all(|work| work.done <= work.total), "{heard:?}");
    assert_eq!(gauge.work(), idle);
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_was_served_and_an_audit_finds_a_changed_byte() {
    let directory = tempfile::tempdir().unwrap();
    let scene = Scene::new(directory.path()).await;
    let id = scene.call("what was sown late").await;
    scene.settled(&id).await;
    let payer = scene.caller.id;
    let datanet = scene.datanet;
    scene.node.shutdown().await;
    std::fs::remove_dir_all(directory.path().join("corpora")).unwrap();
    let node = start_told(directory.path(), datanet).await;
    let status = Client::new(&node.base_url).unwrap().status().await.unwrap();
    assert_eq!(status.serving.len(), 3);
    node.shutdown().await;

    let home = Home::open(directory.path(), None).unwrap();
    let report = audit::audit_home(&home).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!((report.calls, report.receipts, report.settled), (1, 1, 1));

    // A balance on the disk begins with its account's id; the next byte is money.
    let file = directory.path().join("ledger").join("view.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    let pattern = payer.0.0;
    let places: Vec<usize> =
        (0..bytes.len() - 40).filter(|at| bytes[*at..].starts_with(&pattern)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + pattern.len()] ^= 1;
    }
    std::fs::write(&file, bytes).unwrap();
    match audit::audit_home(&home).await {
        Ok(report) => assert!(!report.ok && !report.problems.is_empty(), "{report:?}"),
        Err(error) => assert_eq!(error.code(), ErrorCode::LedgerCorrupt, "{error}"),
    }
}
