//! What is offered in the demo, who accepted whose terms, and the certificate of the
//! application.

use super::material;
use super::people::People;
use crate::commands::license::{Opening, accept};
use crate::commands::publish::serve;
use crate::failure::{Failure, OrFail, Outcome};
use crate::progress::Progress;
use crate::publish::{Published, Request, publish};
use crate::sharing::SharingArgs;
use crate::signer::Signer;
use ambar_base::{ErrorCode, Price, Weight};
use ambar_capsule::Kind;
use ambar_ledger::Operation;
use ambar_ledger::transaction::RegisterName;
use ambar_licence::{Narrowing, Terms};
use std::path::{Path, PathBuf};

/// The name under which the prompt is called.
const PROMPT_NAME: &str = "ask-the-presidents";
/// Credits in the application's channel.
const CHANNEL_CREDITS: Price = Price(10 * Price::CREDIT.0);
/// Most credits per MU that the application pays.
const UNIT_PRICE_MAX: Price = Price(10_000_000);
/// The part of the dataset's royalty that goes to those whose words were used.
const CONTRIBUTORS_SHARE: Weight = Weight(900_000_000);

/// Models on this machine.
#[derive(Clone, Debug)]
pub struct Models {
    /// A GGUF file.
    pub language: PathBuf,
    /// A directory.
    pub embedding: Option<PathBuf>,
}

/// What is for sale, and the application's way to it.
#[derive(Clone, Debug)]
pub struct Market {
    /// Ids and names of the published capsules.
    pub capsules: Vec<(String, String)>,
    /// The registered name of the prompt.
    pub prompt: String,
    /// The application's certificate.
    pub certificate: String,
}

impl Market {
    /// Publishes everything and licenses it to the application.
    pub async fn open(progress: &Progress, people: &People, models: Models) -> Outcome<Self> {
        let folder = tempfile::tempdir().or_fail(ErrorCode::DiskFailed)?;
        let terms = material::terms()?;
        let mut stall = Stall { progress, operator: &people.operator, capsules: Vec::new() };

        let speeches = folder.path().join("speeches");
        material::unpack_records(&speeches)?;
        let name = "State of the Union speeches";
        let datanet = stall
            .sell(&people.curator, Kind::Dataset, &speeches, name, &terms.dataset, &[])
            .await?;
        let name = file_name(&models.language);
        let path = &models.language;
        let model =
            stall.sell(&people.modeller, Kind::Model, path, &name, &terms.model, &[]).await?;
        let mut wanted = vec![model.clone()];
        if let Some(path) = &models.embedding {
            let name = file_name(path);
            let sold =
                stall.sell(&people.embedder, Kind::Model, path, &name, &terms.model, &[]).await?;
            wanted.push(sold);
        }
        for id in [&model, &datanet] {
            license(&people.author, id).await?;
        }
        let prompt = folder.path().join("prompt");
        material::write_prompt(&prompt)?;
        let (name, uses) = ("Ask the presidents", [model, datanet]);
        let prompt =
            stall.sell(&people.author, Kind::Prompt, &prompt, name, &terms.prompt, &uses).await?;
        register(&people.author, &prompt).await?;
        wanted.push(prompt);
        let capsules = stall.capsules;
        let certificate = certificate(progress, &people.app, &wanted).await?;
        Ok(Self { capsules, prompt: PROMPT_NAME.to_owned(), certificate })
    }

    /// What people call a capsule.
    pub fn name(&self, id: &str) -> &str {
        let found = self.capsules.iter().find(|(known, _)| known == id);
        found.map_or("another capsule", |(_, name)| name.as_str())
    }
}

struct Stall<'a> {
    progress: &'a Progress,
    operator: &'a Signer,
    capsules: Vec<(String, String)>,
}

impl Stall<'_> {
    /// Publishes, and has the operator's node serve it; the capsule's id.
    async fn sell(
        &mut self,
        seller: &Signer,
        kind: Kind,
        path: &Path,
        name: &str,
        terms: &Terms,
        uses: &[String],
    ) -> Outcome<String> {
        let phase = self.progress.spinner(&format!("publishing a {kind}"));
        let request = Request {
            path: path.to_owned(),
            kind,
            name: name.to_owned(),
            description: format!("{name}, as the demo publishes it"),
            terms: terms.clone(),
            previous: None,
            parents: Vec::new(),
            uses: uses.iter().map(|id| (None, id.clone())).collect(),
            contributors_share: CONTRIBUTORS_SHARE,
            methods: Vec::new(),
            sharing: SharingArgs::default(),
            engine: None,
            sealed: false,
            key_node: None,
        };
        let parts = self.progress.parts();
        let published: Published = publish(seller, &request, &parts).await?;
        serve(self.operator, kind, &published, &parts).await?;
        phase.finish(name);
        self.capsules.push((published.id.clone(), name.to_owned()));
        Ok(published.id)
    }
}

async fn license(licensee: &Signer, id: &str) -> Outcome<String> {
    let capsule = licensee.client().capsule(id).await?;
    accept(licensee, &capsule, None).await
}

async fn register(owner: &Signer, id: &str) -> Outcome {
    let version = id.parse().or_fail(ErrorCode::BadGateway)?;
    let name = RegisterName { name: PROMPT_NAME.to_owned(), version };
    owner.submit(vec![Operation::RegisterName(name)]).await.map(|_| ())
}

/// Accepts all terms, opens a channel and mints its certificate.
async fn certificate(progress: &Progress, app: &Signer, wanted: &[String]) -> Outcome<String> {
    let phase = progress.spinner("licensing");
    for id in wanted {
        license(app, id).await?;
    }
    let opening = Opening {
        owner: "app".to_owned(),
        fund: CHANNEL_CREDITS,
        gateway: None,
        unit_price_max: UNIT_PRICE_MAX,
        vouchers: false,
    };
    let session = opening.open(app).await?;
    let certificate = session.mint(&Narrowing::default())?;
    let count = wanted.len();
    phase.finish(&format!("{count} grants, channel {}, certificate minted", session.channel));
    Ok(certificate)
}

/// The last part of a path without its ending: what people call a model.
fn file_name(path: &Path) -> String {
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    stem.map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// A failure of a call that was meant to fail did not come.
pub fn not_refused() -> Failure {
    Failure::new(ErrorCode::Internal, "a call beyond the certificate's limit was not refused")
}
