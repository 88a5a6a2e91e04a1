//! Manifests of kinds that the receipts' fixture has not.

use super::terms;
use ambar_base::{AccountId, Cid, Digest, Weight};
use ambar_capsule::body::{Modality, ModelBody, PromptBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Component, Content, Extension, Parent, RoyaltyDeclaration};
use ambar_capsule::{Body, Manifest};

/// A model by this account.
#[must_use]
pub fn model_of(creator: AccountId) -> Manifest {
    let body = ModelBody {
        architecture: "llama".into(),
        context_tokens: 2_048,
        format: "gguf".into(),
        modality: Modality::Text,
    };
    Manifest {
        ambar: Manifest::FORMAT,
        body: Body::Model(body),
        content: Content { bytes: 1, files: 1, sealed: None, table: ContentRoot([1; 32]) },
        creator,
        datanet: None,
        derived_from: Vec::new(),
        description: "Answers questions about ships.".into(),
        extensions: Vec::new(),
        fork: false,
        name: "harbour master".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: creator, weight: Weight::ONE }],
        terms: terms::plain().id(),
        uses: Vec::new(),
    }
}

/// A model.
#[must_use]
pub fn model() -> Manifest {
    model_of(AccountId(Digest::of(b"creator")))
}

/// A prompt with components, parents, an extension and a version before it.
#[must_use]
pub fn prompt() -> Manifest {
    let component = |role: &str| Component { role: role.into(), version: Cid::of(role.as_bytes()) };
    let card = Extension {
        bytes: 300,
        media_type: "text/markdown".into(),
        name: "card".into(),
        root: ContentRoot([2; 32]),
    };
    let body = PromptBody {
        context_bytes_max: 2_000,
        passages_max: 4,
        system: "You answer.".into(),
        template: "{{passages}}\n\n{{question}}".into(),
    };
    Manifest {
        body: Body::Prompt(body),
        derived_from: vec![Parent { share: Weight(150_000_000), version: Cid::of(b"parent") }],
        extensions: vec![card],
        fork: true,
        name: "pilot".into(),
        previous: vec![Cid::of(b"before")],
        uses: vec![component("datanet"), component("model")],
        ..model()
    }
}
