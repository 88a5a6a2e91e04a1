//! Publishing: from files and terms to a signed capsule on the ledger.
//!
//! Contents are hashed here before they are stored anywhere, so that nobody signs what a
//! node says was stored. This room knows files and manifests; that a home belongs to a
//! node's operator, who also configures serving, is the command's affair.

pub mod contents;
pub mod lineage;
pub mod model;
pub mod program;
pub mod prompt;
pub mod records;
pub mod tree;

use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::interrupt;
use crate::progress::{Progress, look};
use crate::sealed;
use crate::sharing::SharingArgs;
use crate::signer::{Signer, number, version_of};
use ambar_attribution::{Method, Sharing};
use ambar_base::{Cid, ErrorCode, PublicKey, Weight};
use ambar_capsule::body::DatasetBody;
use ambar_capsule::manifest::{Component, DatanetDeclaration, Parent, RoyaltyDeclaration};
use ambar_capsule::sealing::VersionKey;
use ambar_capsule::{Body, ContributorTable, Kind, Manifest, SignedManifest};
use ambar_compute::EngineSpec;
use ambar_ledger::Operation;
use ambar_ledger::transaction::{AllowServing, Publish};
use ambar_licence::Terms;
use ambar_node::api::dto::Capsule;
use ambar_node::files::CONTRIBUTORS_FILE;
use ambar_receipt::sharing::declared;
use contents::Contents;
use prompt::{PROMPT_BYTES_MAX, PROMPT_FILE, Used};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tree::SourceFile;

/// The media type of records: attribution reads text.
const RECORD_MEDIA_TYPE: &str = "text/plain";

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Request {
    /// A directory or a file.
    pub path: PathBuf,
    /// Of which kind.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// What people read.
    pub description: String,
    /// On which terms.
    pub terms: Terms,
    /// The version that it continues.
    pub previous: Option<Cid>,
    /// Parents and their shares.
    pub parents: Vec<Parent>,
    /// Components, with their roles if they were said.
    pub uses: Vec<(Option<String>, String)>,
    /// The part of a dataset's royalty that goes to its contributors.
    pub contributors_share: Weight,
    /// How much each method of attribution counts for a dataset; nothing: the usual mix.
    pub methods: Vec<(Method, Weight)>,
    /// How a dataset's evidence of use is shared, where its files do not say it.
    pub sharing: SharingArgs,
    /// What a model is served with.
    pub engine: Option<EngineSpec>,
    /// Whether only holders of a key read its files.
    pub sealed: bool,
    /// The node that keeps the key, if it is another one.
    pub key_node: Option<String>,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The capsule's id.
    pub id: String,
    /// The engine that the files themselves ask for, if none was named.
    pub engine: Option<EngineSpec>,
    /// The block in which it was published.
    pub height: u64,
}

/// Publishes and lets the node that is asked serve it.
pub async fn publish(
    signer: &Signer,
    request: &Request,
    progress: &Progress,
) -> Outcome<Published> {
    interrupt::advise("nothing was published");
    if matches!(request.engine, Some(EngineSpec::Corpus(_))) && request.parents.is_empty() {
        return Err(Failure::input("a model that is records is built on datasets")
            .helping("name them with --from ID=SHARE"));
    }
    let derives = lineage::derives(signer, &request.terms, &request.parents).await?;
    let files = tree::files(&request.path)?;
    let key = request.sealed.then(sealed::draw).transpose()?;
    let contents = hashed(files.clone(), key.clone(), progress).await?;
    let phase = progress.spinner("checking what it is");
    let draft = Draft::read(signer, request, &files).await?;
    let engine = draft.engine(request);
    let manifest = draft.manifest(signer, request, &contents)?;
    phase.finish("");
    store(signer, &contents, progress).await?;
    let signed = SignedManifest::sign(&manifest, signer.network, &signer.key);
    if let Some(key) = key {
        // Before it is published: what is published can be opened.
        sealed::hand_over(signer, request.key_node.as_deref(), &signed, &key).await?;
    }
    interrupt::advise("it may be published: look with `ambar search`");
    let phase = progress.spinner("waiting for its block");
    let publish = Publish {
        manifest: signed,
        terms: Some(request.terms.to_document()),
        contributors: draft.contributors.as_ref().map(ContributorTable::encode),
        grants: draft.grants,
        derives,
    };
    let status = signer.client().status().await?;
    let node = PublicKey::from_did(&status.node.did).or_fail(ErrorCode::BadGateway)?;
    let serving = AllowServing { version: manifest.id(), node, allowed: true };
    let operations = vec![Operation::Publish(publish), Operation::AllowServing(serving)];
    let submitted = signer.submit(operations).await?;
    phase.finish(&format!("block {}", submitted.height));
    interrupt::advise("it is published, but perhaps not served");
    Ok(Published { id: version_of(&submitted)?, engine, height: submitted.height })
}

/// Hashes the files, and seals them if there is a key, off the runtime.
async fn hashed(
    files: Vec<SourceFile>,
    key: Option<VersionKey>,
    progress: &Progress,
) -> Outcome<Contents> {
    let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum());
    let doing = if key.is_some() { "sealing" } else { "hashing" };
    let name = format!("{doing} {}", look::counted(count, "file", "files"));
    let phase = progress.bytes(&name, bytes);
    let read = phase.counter();
    let work = tokio::task::spawn_blocking(move || Contents::read(&files, key, &read));
    let contents = work.await.or_fail(ErrorCode::Internal)??;
    phase.finish(&look::bytes(bytes));
    Ok(contents)
}

/// Stores the contents at the node.
async fn store(signer: &Signer, contents: &Contents, progress: &Progress) -> Outcome {
    let bytes = contents.table().bytes();
    let phase = progress.bytes("storing at the node", bytes);
    contents.store(signer.client(), &phase.counter()).await?;
    phase.finish(&look::bytes(bytes));
    Ok(())
}

/// What only this kind says.
struct Draft {
    body: Body,
    sharing: Sharing,
    contributors: Option<ContributorTable>,
    uses: Vec<Component>,
    grants: Vec<u64>,
}

impl Draft {
    async fn read(signer: &Signer, request: &Request, files: &[SourceFile]) -> Outcome<Self> {
        let (body, roles) = match request.kind {
            Kind::Dataset => return Self::dataset(signer, request, files).await,
            Kind::Model => {
                (Body::Model(model::body(files, request.engine.as_ref())?), BTreeMap::new())
            }
            Kind::Code => (Body::Code(program::code(files)?), BTreeMap::new()),
            Kind::Agent => {
                let (body, roles) = program::agent(files)?;
                (Body::Agent(body), roles)
            }
            Kind::Prompt => {
                let prompt = prompt::parse(&prompt_text(files)?)?;
                (Body::Prompt(prompt.body), prompt.roles)
            }
        };
        let (uses, grants) = components(signer, &roles, &request.uses).await?;
        Ok(Self { body, sharing: Sharing::USUAL, contributors: None, uses, grants })
    }

    async fn dataset(signer: &Signer, request: &Request, files: &[SourceFile]) -> Outcome<Self> {
        let declared = records::declared(files)?;
        let sharing = request.sharing.of_records(&declared)?;
        // Refused here, before anything is published: records that no corpus is built of.
        if files.iter().all(|file| file.bytes == 0 || file.name == CONTRIBUTORS_FILE) {
            return Err(Failure::new(ErrorCode::DatasetEmpty, "there are no records to publish"));
        }
        let client = signer.client();
        let by_record = records::contributors(client, &declared, files, signer.account).await?;
        let records = by_record.len() as u64;
        let contributors: BTreeSet<_> = by_record.into_values().collect();
        let table = ContributorTable::new(contributors).or_fail(ErrorCode::DocumentInvalid)?;
        let body = Body::Dataset(DatasetBody { records, media_type: RECORD_MEDIA_TYPE.into() });
        let contributors = Some(table);
        Ok(Self { body, sharing, contributors, uses: Vec::new(), grants: Vec::new() })
    }

    fn engine(&self, request: &Request) -> Option<EngineSpec> {
        let engine = match &self.body {
            Body::Model(body) if request.engine.is_none() => model::engine_of(&request.path, body),
            _ => request.engine.clone(),
        };
        engine.map(model::absolute)
    }

    fn manifest(
        &self,
        signer: &Signer,
        request: &Request,
        contents: &Contents,
    ) -> Outcome<Manifest> {
        let holder = signer.account;
        let royalty = RoyaltyDeclaration { holder, weight: Weight::ONE };
        let manifest = Manifest {
            ambar: Manifest::FORMAT,
            body: self.body.clone(),
            content: contents.declaration(),
            creator: holder,
            datanet: self.contributors.as_ref().map(|table| DatanetDeclaration {
                contributors: Cid::of(&table.encode()),
                methods: methods(&request.methods),
                share: request.contributors_share,
                sharing: declared(self.sharing, table.entries().len() as u32),
                treasury: holder,
            }),
            derived_from: request.parents.clone(),
            description: request.description.clone(),
            extensions: Vec::new(),
            fork: false,
            name: request.name.clone(),
            previous: request.previous.into_iter().collect(),
            // A later version pays the royalty lines that its line has.
            royalty: if request.previous.is_some() { Vec::new() } else { vec![royalty] },
            terms: request.terms.id(),
            uses: self.uses.clone(),
        };
        manifest.check()?;
        Ok(manifest)
    }
}

/// How much each method of attribution counts, ascending: as was said, or a half for what is
/// retrieved and for what is quoted.
fn methods(said: &[(Method, Weight)]) -> Vec<(u16, Weight)> {
    let half = Weight(Weight::ONE.0 / 2);
    let standard = [(Method::Retrieval, half), (Method::VerbatimSpan, half)];
    let mix = if said.is_empty() { &standard } else { said };
    let mut mix: Vec<_> = mix.iter().map(|(m, weight)| (u16::from(m.number()), *weight)).collect();
    mix.sort_unstable();
    mix
}

fn prompt_text(files: &[SourceFile]) -> Outcome<String> {
    let found = files.iter().find(|file| file.name == PROMPT_FILE).or(match files {
        [one] => Some(one),
        _ => None,
    });
    let file = found.ok_or_else(|| {
        Failure::new(ErrorCode::DocumentInvalid, format!("there is no {PROMPT_FILE}"))
    })?;
    files::read_text(&file.path, PROMPT_BYTES_MAX)
}

/// Components with their roles, and the author's grants for them.
async fn components(
    signer: &Signer,
    roles: &BTreeMap<String, Kind>,
    uses: &[(Option<String>, String)],
) -> Outcome<(Vec<Component>, Vec<u64>)> {
    let (mut used, mut capsules) = (Vec::new(), BTreeMap::new());
    for (role, id) in uses {
        let capsule = signer.client().capsule(id).await?;
        let version: Cid = capsule.id.parse().or_fail(ErrorCode::BadGateway)?;
        let kind = capsule.kind.parse().or_fail(ErrorCode::BadGateway)?;
        used.push(Used { role: role.clone(), version, kind });
        capsules.insert(version, capsule);
    }
    let components = prompt::cast(roles, &used)?;
    let held = signer.client().grants(&signer.account.to_string()).await?;
    let grant = |component: &Component| {
        let capsule = &capsules[&component.version];
        let holds = held.iter().rev().find(|grant| {
            grant.revoked.is_none() && grant.current && grant.capsule == capsule.head
        });
        let grant = holds.ok_or_else(|| no_grant(capsule))?;
        number("grant", &grant.id)
    };
    let grants = components.iter().map(grant).collect::<Outcome<_>>()?;
    Ok((components, grants))
}

fn no_grant(capsule: &Capsule) -> Failure {
    let message = format!("the terms of {} ({}) are not accepted yet", capsule.name, capsule.id);
    Failure::new(ErrorCode::GrantMissing, message)
        .helping(format!("accept them with `ambar license {} --no-channel`", capsule.id))
}
