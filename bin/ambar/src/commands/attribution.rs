//! `ambar attribution`: whether a call paid those whom its question and answer name.
//!
//! A receipt's shares follow from its evidence, which `receipt verify` recomputes. That the
//! evidence is all that the records say takes the records: they are indexed here again, and
//! searched again, so that nothing is believed of the node that did it first. The node that is
//! asked says who the contributors are, which is on the ledger.

use super::dispute::{self, Case};
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::publish::{records, tree};
use crate::signer::number;
use crate::table::{Side, Table};
use crate::trust::Trust;
use ambar_attribution::{Attributor as _, Evidence, Method, SpanEvidence, SpanParameters};
use ambar_base::{Digest, ErrorCode, codec};
use ambar_capsule::Contributor;
use ambar_corpus::{Corpus, Document, Said};
use ambar_ledger::object::{Claim, Misattributed};
use ambar_node::api::dto::{self, Datanet};
use ambar_node::client::Client;
use ambar_node::files::CONTRIBUTORS_FILE;
use ambar_receipt::Leaf;
use ambar_receipt::export::preimages::Kind;
use ambar_receipt::export::seal::ENVELOPE_BYTES_MAX;
use ambar_receipt::export::{RECEIPT_BYTES_MAX, open};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Longest question or answer, bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// Largest record that is read, bytes.
const RECORD_BYTES_MAX: u64 = ambar_corpus::DOCUMENT_BYTES_MAX as u64;

/// What to do about whom a call paid.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search the records again, and compare with what a receipt says was found
    #[command(
        long_about = "Search the records again, and compare with what a receipt says was found.\n\n\
            The records are those of the datanet, as `ambar fetch` wrote them; they are indexed on \
            this machine. It fails if the receipt names other stretches or passages than they have, \
            or names none.",
        after_help = "Example:\n  ambar fetch speeches --out speeches/ --as me\n  \
            ambar receipt export 3-17 --out 3-17.receipt --as me\n  \
            ambar attribution verify 3-17.receipt --datanet speeches --records speeches/ \\\n    \
            --answer answer.txt --question question.txt"
    )]
    Verify(VerifyArgs),
    /// Claim that a call paid others than its question and answer name
    #[command(
        long_about = "Claim that a call paid others than its question and answer name.\n\n\
            Whoever paid the call claims it, and whoever has contributed to the datanet. It is a \
            dispute, of the owner of the node that served the line; the council decides, and the \
            node's bond pays up to fifty times the line's royalty.",
        override_usage = "ambar attribution challenge <RECEIPT> --datanet <ID> --evidence <FILE> \
            --statement <TEXT>",
        after_help = "Example:\n  ambar attribution challenge 3-17 --datanet speeches \\\n    \
            --evidence report.json --statement \"quotes record 7, which it does not name\" --as me"
    )]
    Challenge(ChallengeArgs),
}

/// A receipt's file, and what its call was about.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The receipt's file, as `receipt export` wrote it
    file: PathBuf,
    /// The datanet, by id or registered name
    #[arg(long, value_name = "ID")]
    datanet: String,
    /// Its records
    #[arg(long, value_name = "DIR")]
    records: PathBuf,
    /// The answer of the call; a line break at the end of the file may be missing in the answer
    #[arg(long, value_name = "FILE")]
    answer: PathBuf,
    /// The question of the call: its last message
    #[arg(long, value_name = "FILE")]
    question: Option<PathBuf>,
    /// Whom to trust about the receipt, as `receipt verify` takes it
    #[arg(long, value_name = "K")]
    network_key: Option<String>,
}

/// A claim.
#[derive(Args, Debug)]
pub struct ChallengeArgs {
    /// The datanet, by id or registered name
    #[arg(long, value_name = "ID")]
    datanet: String,
    #[command(flatten)]
    case: Case,
    /// The key that claims
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Verify(args) => verify(context, args).await,
        Command::Challenge(args) => challenge(context, args).await,
    }
}

async fn challenge(context: &Context, args: &ChallengeArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let datanet = numbered(signer.client(), &args.datanet).await?;
    let claim = Claim::Misattributed(Misattributed { line: args.case.line, datanet });
    dispute::claim(context, &signer, &args.case, |_| claim).await
}

/// The number of a version.
async fn numbered(client: &Client, name: &str) -> Outcome<u64> {
    number("capsule", &client.capsule(name).await?.number)
}

/// What a receipt says of one datanet.
struct Claimed {
    id: String,
    evidence: Vec<Evidence>,
}

/// What the records say to it.
enum Verdict {
    Same(String),
    Differs(String),
    Unchecked(&'static str),
}

async fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let client = context.client()?;
    let datanet = client.datanet(&args.datanet).await?;
    let claimed = claimed(args, numbered(&client, &args.datanet).await?)?;
    let texts = Texts::read(args)?;
    let place = tempfile::tempdir().or_fail(ErrorCode::Internal)?;
    let phase = context.progress().spinner("indexing the records");
    let corpus = indexed(&client, &datanet, &args.records, place.path()).await?;
    phase.finish("");
    let verdicts = methods(&datanet)
        .into_iter()
        .map(|method| Ok((method, texts.judge(&corpus, &claimed, method)?)))
        .collect::<Outcome<Vec<_>>>()?;
    let differs = verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Differs(_)));
    let rows = verdicts.iter().map(|(method, verdict)| {
        let (word, says) = verdict.words();
        json!({ "method": method.name(), "verdict": word, "says": says })
    });
    let document = json!({
        "receipt": claimed.id,
        "datanet": datanet.id,
        "root": corpus.root().to_string(),
        "records": corpus.documents(),
        "ok": !differs,
        "methods": rows.collect::<Vec<_>>(),
    });
    context.print(&document, || table(&verdicts, &corpus))?;
    if !differs {
        return Ok(());
    }
    let message = format!("receipt {} does not say what the records say", claimed.id);
    let help = format!(
        "keep this report (--json) as evidence, and claim it: ambar attribution challenge {} \
         --datanet {} --evidence FILE --statement TEXT",
        claimed.id, datanet.id
    );
    Err(Failure::new(ErrorCode::ReceiptInvalid, message).helping(help))
}

/// Reads a receipt that verifies.
fn claimed(args: &VerifyArgs, datanet: u64) -> Outcome<Claimed> {
    let file = files::read(&args.file, (RECEIPT_BYTES_MAX + ENVELOPE_BYTES_MAX) as u64)?;
    let trusted = args.network_key.as_deref().map(Trust::read).transpose()?;
    let trusted = trusted.map(|trusted| trusted.checkpoint(&file)).transpose()?;
    let report = ambar_receipt::verify(&file, trusted.as_ref());
    if !report.ok {
        let failed = report.checks.iter().find(|check| !check.ok);
        let why = failed.map_or(&report.summary, |check| &check.detail);
        let message = format!("{}: {why}", args.file.display());
        return Err(Failure::new(ErrorCode::ReceiptInvalid, message));
    }
    let document = open(&file).or_fail(ErrorCode::ReceiptInvalid)?.document;
    let leaf: Leaf = codec::decode(&document.leaf).or_fail(ErrorCode::ReceiptInvalid)?;
    let documents = document.preimages.by_digest(Kind::Evidence);
    let shares = leaf.lines.iter().flat_map(|line| &line.shares);
    let mut roots: Vec<Digest> =
        shares.filter(|shares| shares.datanet == datanet).map(|shares| shares.evidence).collect();
    roots.sort_unstable();
    roots.dedup();
    let evidence = roots
        .iter()
        .filter_map(|root| documents.get(root))
        .map(|bytes| Evidence::decode(bytes).or_fail(ErrorCode::ReceiptInvalid));
    let id = report.receipt.map_or_else(String::new, |id| id.to_string());
    Ok(Claimed { id, evidence: evidence.collect::<Outcome<_>>()? })
}

/// The methods that the datanet pays by.
fn methods(datanet: &Datanet) -> Vec<Method> {
    let named = datanet.methods.iter().filter_map(|said| said.split_whitespace().next());
    named.filter_map(Method::named).collect()
}

/// The corpus of the records in a directory, whose contributors are those of the datanet.
async fn indexed(
    client: &Client,
    datanet: &Datanet,
    records: &Path,
    place: &Path,
) -> Outcome<Corpus> {
    let mut sources = tree::files(records)?;
    sources.sort_by(|one, two| one.name.cmp(&two.name));
    let declared = records::declared(&sources)?;
    let creator = client.capsule(&datanet.id).await?.creator;
    let creator = creator.parse().or_fail(ErrorCode::BadGateway)?;
    let whose = records::contributors(client, &declared, &sources, creator).await?;
    sources.retain(|source| source.name != CONTRIBUTORS_FILE);
    let documents = sources.iter().map(|source| {
        let contributor = whose.get(&source.name).and_then(|who| index(datanet, who));
        let stranger = || {
            let message = format!("{} is of nobody in the datanet", source.name);
            Failure::new(ErrorCode::DocumentInvalid, message)
        };
        Ok(Document {
            title: source.name.clone(),
            contributor: contributor.ok_or_else(stranger)?,
            text: files::read(&source.path, RECORD_BYTES_MAX)?,
        })
    });
    let documents = documents.collect::<Outcome<Vec<_>>>()?;
    let place = place.to_owned();
    let work = tokio::task::spawn_blocking(move || Corpus::build(&place, documents, &mut |_| ()));
    Ok(work.await.or_fail(ErrorCode::Internal)??)
}

/// The index of a contributor in a datanet's table.
fn index(datanet: &Datanet, who: &Contributor) -> Option<u32> {
    let is = |one: &dto::Contributor| match who {
        Contributor::Account(id) => one.account == id.to_string(),
        Contributor::Name(name) => one.did.is_none() && one.name.as_ref() == Some(name),
    };
    (0..).zip(&datanet.contributors).find(|(_, one)| is(one)).map(|(at, _)| at)
}

/// What the call was about.
struct Texts {
    /// As the file says, and without the line break at its end.
    answers: Vec<Vec<u8>>,
    question: Option<String>,
}

impl Texts {
    fn read(args: &VerifyArgs) -> Outcome<Self> {
        let answer = files::read(&args.answer, TEXT_BYTES_MAX)?;
        let shorter = answer.strip_suffix(b"\n").map(<[u8]>::to_vec);
        let question = args.question.as_deref();
        let question = question.map(|file| files::read_text(file, TEXT_BYTES_MAX)).transpose()?;
        let question =
            question.map(|text| text.strip_suffix('\n').map(str::to_owned).unwrap_or(text));
        Ok(Self { answers: [answer].into_iter().chain(shorter).collect(), question })
    }

    fn judge(&self, corpus: &Corpus, claimed: &Claimed, method: Method) -> Outcome<Verdict> {
        let evidence = claimed.evidence.iter().find(|evidence| evidence.method() == method);
        let here = corpus.root();
        if let Some(there) = evidence.and_then(Evidence::corpus).filter(|root| *root != here) {
            let says = format!("other records were searched: root {there}, these have {here}");
            return Ok(Verdict::Differs(says));
        }
        match (method, evidence) {
            (Method::VerbatimSpan, None) => self.spans(corpus, None),
            (Method::VerbatimSpan, Some(Evidence::VerbatimSpan(evidence))) => {
                self.spans(corpus, Some(evidence))
            }
            (_, None) => Ok(Verdict::Unchecked("the receipt says nothing of it")),
            (_, Some(evidence)) => self.searched(corpus, evidence),
        }
    }

    /// Whether another search of the same kind finds the same.
    fn searched(&self, corpus: &Corpus, evidence: &Evidence) -> Outcome<Verdict> {
        let Some(question) = &self.question else {
            return Ok(Verdict::Unchecked("it takes the question"));
        };
        for answer in &self.answers {
            if corpus.confirms(evidence, Said { question, answer })? {
                return Ok(Verdict::Same("the same was found".into()));
            }
        }
        match evidence {
            Evidence::CorpusModel(evidence) if evidence.elsewhere > 0 => {
                Ok(Verdict::Unchecked("the words were drawn from other datanets besides"))
            }
            _ => Ok(Verdict::Differs("these records say something else".into())),
        }
    }

    fn spans(&self, corpus: &Corpus, claimed: Option<&SpanEvidence>) -> Outcome<Verdict> {
        let mut worst = None;
        for answer in &self.answers {
            let (digest, parameters) = claimed
                .map_or((Digest::ZERO, SpanParameters::default()), |claimed| {
                    (claimed.output, claimed.parameters)
                });
            let found = corpus.trace(answer, digest, &parameters)?;
            let same = claimed.map_or(found.spans.is_empty(), |claimed| *claimed == found);
            if same {
                let count = found.spans.len();
                return Ok(Verdict::Same(format!("the same {count} stretches were found")));
            }
            worst = worst.or_else(|| Some(difference(corpus, claimed, &found, answer)));
        }
        Ok(Verdict::Differs(worst.unwrap_or_default()))
    }
}

/// The first stretch that only one of the two has.
fn difference(
    corpus: &Corpus,
    claimed: Option<&SpanEvidence>,
    found: &SpanEvidence,
    answer: &[u8],
) -> String {
    let named = claimed.map_or(&[][..], |claimed| &claimed.spans);
    let missing = found.spans.iter().find(|span| !named.contains(span));
    if let Some(span) = missing {
        let text = answer.get(span.start as usize..span.end as usize).unwrap_or_default();
        let first = span.occurrences.first().and_then(|at| corpus.document(at.document));
        let title = first.map(|document| document.title).unwrap_or_default();
        return format!(
            "it does not say so of bytes {} to {}, which stand in {title}: {:?}",
            span.start,
            span.end,
            String::from_utf8_lossy(&text[..text.len().min(60)])
        );
    }
    let more = named.iter().filter(|span| !found.spans.contains(span)).count();
    format!("it names {more} stretches that these records do not have")
}

impl Verdict {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Same(says) => ("same", says),
            Self::Differs(says) => ("differs", says),
            Self::Unchecked(why) => ("unchecked", why),
        }
    }
}

fn table(verdicts: &[(Method, Verdict)], corpus: &Corpus) -> String {
    let columns = ["method", "verdict", ""].map(|name| (name, Side::Left));
    let mut table = Table::new(&columns);
    for (method, verdict) in verdicts {
        let (word, says) = verdict.words();
        table.row([method.name().to_owned(), word.to_owned(), says.to_owned()]);
    }
    let (count, root) = (corpus.documents(), corpus.root());
    let table = table.print("the datanet names no method");
    format!("{table}\n{count} records were indexed here; their root is {root}\n")
}
