//! What this node serves: engines from its configuration, corpora from blobs.

use crate::config::Served;
use crate::contributors::{ContributorsError, ContributorsFile};
use crate::corpus_engine::{self, CorpusEngine};
use crate::custody::{Custody, CustodyError};
use crate::engine_keys::{EngineKeyError, EngineKeys};
use crate::error::NodeError;
use crate::files::{CONTRIBUTORS_FILE, FileEntry, FileTable, FileTableError};
use crate::home::{Home, private_directory, write_private};
use crate::progress::{Busy, Gauge, Phase};
use ambar_base::{AccountId, Cid, Coded, Digest, ErrorCode};
use ambar_capsule::sealing::{OpenFileError, SealedContentError, VersionKey, open_file};
use ambar_capsule::{Kind, Manifest, Party, SignedManifest};
use ambar_compute::upstream::Secret;
use ambar_compute::{CorpusOptions, EngineOptions, EngineSpec, Failure};
use ambar_corpus::{CORPORA_MAX, Corpus, CorpusError, Listed, Progress, Stage};
use ambar_gateway::view::LedgerView;
use ambar_gateway::{Offer, Serving, Supply};
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Datanet, Line, Version};
use ambar_ledger::query::State;
use ambar_store::Store;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A model's tokenizer among its files.
const TOKENIZER_FILE: &str = "tokenizer.json";
/// Longest tokenizer that is read, bytes.
const TOKENIZER_BYTES_MAX: u64 = 64 << 20;

/// Why a capsule cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The ledger does not know it, or cannot be read.
    #[error(transparent)]
    Ledger(#[from] ambar_ledger::Refusal),
    /// It does not fit its kind.
    #[error("{0}")]
    Kind(&'static str),
    /// The engine does not open.
    #[error(transparent)]
    Engine(#[from] Failure),
    /// A blob is missing or damaged.
    #[error(transparent)]
    Blob(#[from] ambar_store::StoreError),
    /// The content is sealed, and this node has not its key.
    #[error(transparent)]
    Key(#[from] CustodyError),
    /// The sealed content is not what the manifest says.
    #[error(transparent)]
    Sealed(#[from] SealedContentError),
    /// A sealed file does not open.
    #[error("{path}: {error}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        #[source]
        error: OpenFileError,
    },
    /// The file table is none.
    #[error(transparent)]
    Files(#[from] FileTableError),
    /// The file of contributors is wrong.
    #[error(transparent)]
    Contributors(#[from] ContributorsError),
    /// A record's contributor is not in the table that was published.
    #[error("the contributor of {0} is not in the published table")]
    Stranger(String),
    /// The records do not become a corpus.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The secret of an upstream engine cannot be kept or had.
    #[error(transparent)]
    EngineKey(#[from] EngineKeyError),
    /// The configuration cannot be written.
    #[error(transparent)]
    Home(#[from] Box<NodeError>),
}

impl Coded for ServeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Ledger(error) => error.code,
            Self::Kind(_) => ErrorCode::RequestInvalid,
            Self::Engine(
                Failure::ModelRefused { .. } | Failure::UnsupportedArchitecture { .. },
            ) => ErrorCode::ModelUnsupported,
            Self::Engine(Failure::File { .. }) => ErrorCode::FileUnreadable,
            Self::Engine(_) => ErrorCode::EngineFailed,
            Self::Blob(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Sealed(_) | Self::Open { .. } => ErrorCode::BlobCorrupt,
            Self::Files(error) => error.code(),
            Self::Contributors(error) => error.code(),
            Self::Stranger(_) => ErrorCode::DocumentInvalid,
            Self::Corpus(error) => error.code(),
            Self::EngineKey(error) => error.code(),
            Self::Home(error) => error.code(),
        }
    }
}

/// What serving needs of the node. Its work takes long: it is done off the runtime.
pub(crate) struct Kitchen<'a> {
    pub home: &'a Home,
    pub custody: &'a Custody,
    pub store: &'a Store,
    pub serving: &'a Arc<Serving>,
    pub view: LedgerView,
    pub gauge: &'a Gauge,
    /// How embedded models are run.
    pub engines: &'a EngineOptions,
}

/// A published version as it was signed.
pub(crate) fn manifest(view: &impl State, number: u64) -> Result<Manifest, ambar_ledger::Refusal> {
    let signed = signed_manifest(view, number)?;
    Manifest::decode(&signed.bytes)
        .map_err(|error| ambar_ledger::Refusal::new(ErrorCode::LedgerCorrupt, error.to_string()))
}

/// A published version's signed manifest.
pub(crate) fn signed_manifest(
    view: &impl State,
    number: u64,
) -> Result<SignedManifest, ambar_ledger::Refusal> {
    view.must("manifest", number, &Key::Manifest(number))
}

impl Kitchen<'_> {
    /// Serves everything that the configuration names. What cannot be served is logged and
    /// left out: the node starts without it.
    pub fn serve_all(&self, served: &BTreeMap<Cid, Served>) {
        // Records first: there are models that are records.
        let records = |(_, served): &(&Cid, &Served)| matches!(served, Served::Datanet);
        let (first, then): (Vec<_>, Vec<_>) = served.iter().partition(records);
        for (version, served) in first.into_iter().chain(then) {
            if let Err(error) = self.serve(version, served) {
                tracing::error!(%version, %served, %error, "not served");
            }
        }
    }

    /// Serves a version; yields the number of records of a dataset.
    pub fn serve(&self, version: &Cid, served: &Served) -> Result<Option<u64>, ServeError> {
        self.serve_with(version, served, None)
    }

    /// The same with a new secret for an upstream engine, which is kept once it serves.
    pub fn serve_with(
        &self,
        version: &Cid,
        served: &Served,
        key: Option<&str>,
    ) -> Result<Option<u64>, ServeError> {
        let busy = self.gauge.begin(Some(*version));
        busy.at(Phase::Opening, 0, 0);
        let (number, _) = self.view.version(version)?;
        let manifest = manifest(&self.view, number)?;
        let (offer, records) = match (manifest.kind(), served) {
            (Kind::Model, Served::Engine(spec)) => {
                (self.engine((version, number, &manifest), spec, key)?, None)
            }
            (Kind::Dataset, Served::Datanet) => {
                let corpus = self.corpus(version, number, &manifest, &busy)?;
                let records = u64::from(corpus.documents());
                (Offer::Datanet(Arc::new(corpus)), Some(records))
            }
            (Kind::Prompt, Served::Template) => (Offer::Template, None),
            (Kind::Model, _) => return Err(ServeError::Kind("a model is served by an engine")),
            (Kind::Dataset | Kind::Prompt, _) => {
                return Err(ServeError::Kind("an engine serves models only"));
            }
            (Kind::Agent | Kind::Code, _) => {
                return Err(ServeError::Kind("this version serves no agents and no code"));
            }
        };
        self.serving.insert(*version, offer);
        self.merge(version, &busy);
        Ok(records)
    }

    /// A model's engine. An upstream gets the secret that it asks for, and is counted after by
    /// the model's own tokenizer if that is among the capsule's files.
    fn engine(
        &self,
        (version, number, manifest): (&Cid, u64, &Manifest),
        spec: &EngineSpec,
        key: Option<&str>,
    ) -> Result<Offer, ServeError> {
        if let EngineSpec::Corpus(options) = spec {
            key.map_or(Ok(()), |key| EngineKeys::check(spec, key))?;
            return self.records(number, *options);
        }
        let mut options = self.engines.clone();
        if matches!(spec, EngineSpec::Upstream { .. }) {
            options.bearer = match key {
                Some(key) => Some(Secret::new(key)),
                None => EngineKeys::of(self.home).open(version, spec)?,
            };
            options.tokenizer = self.tokenizer(version, manifest);
        }
        if let Some(key) = key {
            EngineKeys::check(spec, key)?;
        }
        let engine = spec.open(&options)?;
        if let Some(key) = key {
            EngineKeys::of(self.home).keep(version, spec, key)?;
        }
        Ok(Offer::Engine(Supply::new(engine, self.serving.limits())))
    }

    /// The model that is the records of the datasets that a version is built on, all of which
    /// are served here.
    fn records(&self, number: u64, options: CorpusOptions) -> Result<Offer, ServeError> {
        let version: Version = self.view.must("version", number, &Key::Version(number))?;
        let mut datasets = Vec::new();
        for (party, _) in version.plan.entries() {
            if let Party::Datanet(number) = party {
                let dataset: Version = self.view.must("version", number, &Key::Version(number))?;
                datasets.push(dataset.id);
            }
        }
        if !(1..=CORPORA_MAX).contains(&datasets.len()) {
            return Err(ServeError::Kind(
                "a model that is records is built on 1 to 16 datasets: name them with --from",
            ));
        }
        let parameters = corpus_engine::parameters(options);
        let engine = CorpusEngine::new(self.serving, datasets, parameters);
        engine.corpora()?;
        let supply = Supply::new(Arc::new(engine), self.serving.limits());
        Ok(Offer::Engine(supply.drawing(parameters)))
    }

    /// The tokenizer among a model's files, as a file of its own. A capsule that has none, or
    /// whose files are not here, is served without.
    fn tokenizer(&self, version: &Cid, manifest: &Manifest) -> Option<PathBuf> {
        let files = Files::open(self, manifest).ok()?;
        let named = |file: &FileEntry| file.path.rsplit('/').next() == Some(TOKENIZER_FILE);
        let (place, file) = (0..).zip(&files.table.files).find(|(_, file)| named(file))?;
        if file.bytes > TOKENIZER_BYTES_MAX {
            return None;
        }
        let directory = self.home.directory("tokenizers");
        let path = directory.join(format!("{version}.json"));
        let written =
            files.read(place, file).map_err(|error| error.to_string()).and_then(|bytes| {
                let kept =
                    private_directory(&directory).and_then(|()| write_private(&path, &bytes));
                kept.map_err(|error| error.to_string())
            });
        match written {
            Ok(()) => Some(path),
            Err(error) => {
                tracing::warn!(%version, error, "counts of the upstream are not checked");
                None
            }
        }
    }

    /// The corpus on the disk. What is missing or damaged of it is made from another version of
    /// the same line, if this node serves one, and from blobs.
    fn corpus(
        &self,
        version: &Cid,
        number: u64,
        manifest: &Manifest,
        busy: &Busy<'_>,
    ) -> Result<Corpus, ServeError> {
        let directory = self.home.corpus(version);
        let error = match Corpus::open(&directory) {
            Ok(corpus) => {
                for why in corpus.mended() {
                    tracing::warn!(%version, %why, "an index was made again from its records");
                }
                return Ok(corpus);
            }
            Err(error) => error,
        };
        tracing::info!(%version, %error, "building the corpus");
        let base = match Corpus::salvage(&directory) {
            Ok(corpus) => Some(Arc::new(corpus)),
            Err(_) => self.relative(number)?,
        };
        let files = Files::open(self, manifest)?;
        let (places, listed) = self.listed(number, manifest, &files)?;
        let (bytes, mut read) = (files.table.bytes(), 0);
        let text = |index: usize| {
            let place = places[index];
            let file = &files.table.files[place as usize];
            let text = files.read(place, file)?;
            read += file.bytes;
            busy.at(Phase::Reading, read, bytes);
            Ok::<_, ServeError>(text)
        };
        let mut note = |progress| built(progress, bytes, busy);
        Corpus::update(&directory, base.as_deref(), &listed, text, &mut note)
    }

    /// The newest other version of the same line whose records are served here: most of its
    /// records are in this version, too.
    fn relative(&self, number: u64) -> Result<Option<Arc<Corpus>>, ServeError> {
        let version: Version = self.view.must("version", number, &Key::Version(number))?;
        let of_line = |id: &Cid| {
            let (number, other) = self.view.version(id).ok()?;
            let Some(Offer::Datanet(corpus)) = self.serving.get(id) else { return None };
            (other.line == version.line).then_some((number, corpus))
        };
        let found = self.serving.versions().iter().filter_map(of_line).max_by_key(|found| found.0);
        Ok(found.map(|(_, corpus)| corpus))
    }

    /// Merges segments of the records served. They are searched meanwhile, as they were.
    fn merge(&self, version: &Cid, busy: &Busy<'_>) {
        while let Some(Offer::Datanet(corpus)) = self.serving.get(version) {
            let mut note = |progress| built(progress, corpus.text_bytes(), busy);
            match corpus.merge(&mut note) {
                Ok(Some(merged)) => {
                    self.serving.replace(version, Offer::Datanet(Arc::new(merged)));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%version, %error, "segments of the corpus were not merged");
                    break;
                }
            }
        }
    }

    /// A dataset's records in the order of its file table, and their places there.
    fn listed(
        &self,
        number: u64,
        manifest: &Manifest,
        files: &Files<'_>,
    ) -> Result<(Vec<u32>, Vec<Listed>), ServeError> {
        let account = |did: &str| self.view.account(did).ok().map(|(_, account, _)| account.id);
        let contributors = files.contributors()?;
        let paths = files.table.files.iter().map(|file| file.path.as_str());
        let contributors = contributors.by_path(paths, manifest.creator, account)?;
        let indices = self.indices(number)?;
        let version: Version = self.view.must("version", number, &Key::Version(number))?;
        let line: Line = self.view.must("version line", version.line, &Key::Line(version.line))?;
        let records = (0..).zip(&files.table.files);
        let records = records.filter(|(_, file)| file.path != CONTRIBUTORS_FILE);
        let listed = |(place, file): (u32, &FileEntry)| {
            let account = contributors.get(&file.path).map(|who| who.account(&line.first));
            let contributor = account.and_then(|account| indices.get(&account).copied());
            let stranger = || ServeError::Stranger(file.path.clone());
            let contributor = contributor.ok_or_else(stranger)?;
            // The root of what is stored names its text, sealed or not.
            let source = Digest(file.root.0);
            Ok((place, Listed { title: file.path.clone(), contributor, source }))
        };
        Ok(records.map(listed).collect::<Result<Vec<_>, ServeError>>()?.into_iter().unzip())
    }

    /// The indices in the published table by account.
    fn indices(&self, number: u64) -> Result<BTreeMap<AccountId, u32>, ServeError> {
        let datanet: Datanet = self.view.must("datanet", number, &Key::Datanet(number))?;
        let mut indices = BTreeMap::new();
        for (index, account) in (0..).zip(&datanet.contributors) {
            let balance: Balance = self.view.must("account", account, &Key::Balance(*account))?;
            indices.insert(balance.account, index);
        }
        Ok(indices)
    }
}

/// A capsule's files as its creator has them: opened, if they are sealed.
struct Files<'a> {
    store: &'a Store,
    table: FileTable,
    key: Option<VersionKey>,
}

impl<'a> Files<'a> {
    fn open(kitchen: &Kitchen<'a>, manifest: &Manifest) -> Result<Self, ServeError> {
        let table = FileTable::decode(&kitchen.store.get(&manifest.content.table)?)?;
        let sealed = manifest.content.sealed.as_ref();
        let key = sealed.map(|sealed| {
            sealed.check_lengths(table.files.iter().map(|file| file.bytes))?;
            Ok::<_, ServeError>(kitchen.custody.key(manifest.id(), sealed)?)
        });
        Ok(Self { store: kitchen.store, key: key.transpose()?, table })
    }

    fn read(&self, place: u32, file: &FileEntry) -> Result<Vec<u8>, ServeError> {
        let stored = self.store.get(&file.root)?;
        let Some(key) = &self.key else { return Ok(stored) };
        let failed = |error| ServeError::Open { path: file.path.clone(), error };
        open_file(key, place, &stored).map_err(failed)
    }

    fn contributors(&self) -> Result<ContributorsFile, ServeError> {
        let listed = (0..).zip(&self.table.files).find(|(_, file)| file.path == CONTRIBUTORS_FILE);
        let Some((place, file)) = listed else { return Ok(ContributorsFile::default()) };
        let text = String::from_utf8(self.read(place, file)?);
        let text = text.map_err(|error| ContributorsError::Syntax(error.to_string()))?;
        Ok(ContributorsFile::parse(&text)?)
    }
}

/// Notes how far a build is. A stage may pass the separators between records, too.
fn built(progress: Progress, bytes: u64, busy: &Busy<'_>) {
    match progress.stage {
        Stage::Records => busy.at(Phase::Checking, progress.bytes.min(bytes), bytes),
        Stage::Suffixes => busy.at(Phase::Sorting, 0, 0),
        Stage::Passages => busy.at(Phase::Indexing, progress.bytes.min(bytes), bytes),
        Stage::Writing => busy.at(Phase::Writing, 0, 0),
    }
}
