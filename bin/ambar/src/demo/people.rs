//! The people of the demo: each with a key and an account of their own.

use crate::failure::Outcome;
use crate::sessions::draw;
use crate::signer::Signer;
use ambar_base::{Price, SecretKey};
use ambar_node::client::Client;

/// What each of them gets from the faucet.
const CREDITS: Price = Price(100 * Price::CREDIT.0);

/// Who takes part.
#[derive(Clone, Debug)]
pub struct People {
    /// Publishes the speeches.
    pub curator: Signer,
    /// Publishes the language model.
    pub modeller: Signer,
    /// Publishes the embedding model.
    pub embedder: Signer,
    /// Publishes the prompt.
    pub author: Signer,
    /// Runs the node.
    pub operator: Signer,
    /// Calls.
    pub app: Signer,
}

impl People {
    /// Opens the accounts and fills them from the faucet.
    pub async fn open(client: &Client, operator: &SecretKey) -> Outcome<Self> {
        let person = async || -> Outcome<Signer> {
            let signer = Signer::new(client, draw()?, None).await?;
            signer.fund(CREDITS).await?;
            Ok(signer)
        };
        Ok(Self {
            curator: person().await?,
            modeller: person().await?,
            embedder: person().await?,
            author: person().await?,
            operator: Signer::new(client, operator.clone(), None).await?,
            app: person().await?,
        })
    }

    /// Everybody with the name that the report uses.
    pub fn named(&self) -> [(&'static str, &Signer); 6] {
        [
            ("curator", &self.curator),
            ("model developer", &self.modeller),
            ("embedding developer", &self.embedder),
            ("prompt author", &self.author),
            ("node operator", &self.operator),
            ("application developer", &self.app),
        ]
    }

    /// Their names.
    pub fn list(&self) -> String {
        let names: Vec<_> = self.named().iter().map(|(name, _)| *name).collect();
        format!("{} people", names.len())
    }
}
