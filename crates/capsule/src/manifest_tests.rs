use super::*;
use crate::body::{DatasetBody, Modality, ModelBody, PromptBody};
use crate::sealing::VersionKey;
use ambar_base::Digest;
use proptest::prelude::*;

fn content() -> Content {
    Content { bytes: 3, files: 1, sealed: None, table: ContentRoot([7; 32]) }
}

pub(crate) fn model() -> Manifest {
    Manifest {
        ambar: 1,
        body: Body::Model(ModelBody {
            architecture: "llama".into(),
            context_tokens: 2048,
            format: "gguf".into(),
            modality: Modality::Text,
        }),
        content: content(),
        creator: AccountId(Digest::of(b"creator")),
        datanet: None,
        derived_from: vec![Parent { share: Weight(150_000_000), version: Cid::of(b"parent") }],
        description: "A small model".into(),
        extensions: Vec::new(),
        fork: false,
        name: "small".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration {
            holder: AccountId(Digest::of(b"holder")),
            weight: Weight::ONE,
        }],
        terms: Cid::of(b"terms"),
        uses: Vec::new(),
    }
}

fn dataset() -> Manifest {
    let body = DatasetBody { records: 2, media_type: "text/plain".into() };
    let datanet = DatanetDeclaration {
        contributors: Cid::of(b"table"),
        methods: vec![(1, Weight(500_000_000)), (2, Weight(500_000_000))],
        share: Weight(900_000_000),
        sharing: None,
        treasury: AccountId(Digest::of(b"treasury")),
    };
    Manifest { body: Body::Dataset(body), datanet: Some(datanet), ..model() }
}

fn shared() -> Manifest {
    let mut manifest = dataset();
    let cap = Weight(300_000_000);
    let sharing = SharingDeclaration { cap, contributors: 7, duplicates: 2, floor: Weight(1) };
    manifest.datanet.as_mut().unwrap().sharing = Some(sharing);
    manifest
}

fn sealed(manifest: Manifest) -> Manifest {
    let sealed = SealedContent::new(&VersionKey::from_bytes(&[7; 32]), 3);
    let content = Content { bytes: 19, sealed: Some(sealed), ..content() };
    Manifest { content, ..manifest }
}

fn prompt() -> Manifest {
    let body = PromptBody {
        context_bytes_max: 900,
        passages_max: 3,
        system: "Quote.".into(),
        template: "{{passages}}\n{{question}}".into(),
    };
    let component = |role: &str| Component { role: role.into(), version: Cid::of(role.as_bytes()) };
    let uses = vec![component("model"), component("datanet")];
    Manifest { body: Body::Prompt(body), uses, ..model() }
}

#[test]
fn good_manifests_round_trip() {
    for manifest in [model(), dataset(), shared(), prompt()] {
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
    }
}

/// The bytes of these exemplars are for ever; a change needs a new format number.
#[test]
fn conformance() {
    let check = |manifest: Manifest, expect: &str| assert_eq!(manifest.id().to_string(), expect);
    check(model(), "bafyreiawfq2nu6frdeyudcmcdexvaj2yhg7476t3jp6sgfetzgxx2lopii");
    check(dataset(), "bafyreihz654yq6ttvsdvs77qfqe2axsjwxtuoydudpzclid2xt465t7yqq");
    check(prompt(), "bafyreiancpdv46skeripstvsw5iihum5rb5bsuj3vhbaz7oqnrzjbj632m");
}

#[test]
fn rules() {
    type Change = fn(&mut Manifest);
    let check = |mut manifest: Manifest, change: Change, expect: ManifestError| {
        change(&mut manifest);
        assert_eq!(manifest.check(), Err(expect));
    };
    check(model(), |m| m.ambar = 2, ManifestError::Format(2));
    check(model(), |m| m.name = " ".into(), ManifestError::Text { field: "name", bytes_max: 80 });
    check(model(), |m| m.derived_from[0].share = Weight(1_000_000_001), ManifestError::Shares);
    check(
        model(),
        |m| m.derived_from.push(m.derived_from[0].clone()),
        ManifestError::Twice("derived_from"),
    );
    let too_many = ManifestError::TooMany { field: "previous", count: 9, max: 8 };
    check(model(), |m| m.previous = (0..9u8).map(|i| Cid::of(&[i])).collect(), too_many);
    check(model(), |m| m.royalty[0].weight = Weight(1), ManifestError::Weights("royalty"));
    check(
        model(),
        |m| m.fork = true,
        ManifestError::Rule("a fork names the version that it leaves"),
    );
    check(
        model(),
        |m| m.previous = vec![Cid::of(b"before")],
        ManifestError::Rule(
            "the first version of a line declares royalty lines, later ones inherit them",
        ),
    );
    check(
        prompt(),
        |m| m.uses.truncate(1),
        ManifestError::Rule("a prompt uses a model, and a datanet exactly if it retrieves"),
    );
    check(
        dataset(),
        |m| m.datanet = None,
        ManifestError::Rule("a dataset declares its contributors, and nothing else does"),
    );
    let methods = |m: &mut Manifest| m.datanet.as_mut().unwrap().methods.truncate(1);
    check(dataset(), methods, ManifestError::Weights("methods"));
    let sharing = |change: fn(&mut SharingDeclaration), expect| {
        let mut manifest = shared();
        change(manifest.datanet.as_mut().unwrap().sharing.as_mut().unwrap());
        assert_eq!(Manifest::decode(&manifest.encode()), Err(ManifestError::Rule(expect)));
    };
    let limits = "the floor of sharing is at most 50%, the cap above 0%, and there is somebody";
    sharing(|s| s.floor = Weight(500_000_001), limits);
    sharing(|s| s.cap = Weight::ZERO, limits);
    sharing(|s| s.cap = Weight(1_000_000_001), limits);
    sharing(|s| s.contributors = 0, limits);
    let usual = |s: &mut SharingDeclaration| {
        (s.cap, s.duplicates, s.floor) = (Weight::ONE, 1, Weight::ZERO);
    };
    sharing(usual, "the usual rules of sharing are left out");
}

#[test]
fn a_manifest_over_its_limit_is_refused_before_it_is_read() {
    let bytes = vec![0; MANIFEST_BYTES_MAX + 1];
    let error = Manifest::decode(&bytes).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ManifestTooLarge);
}

#[test]
fn another_key_or_network_does_not_open() {
    let (network, key) = (NetworkId(Digest::ZERO), SecretKey::from_seed(&[3; 32]));
    let mut signed = SignedManifest::sign(&model(), network, &key);
    assert_eq!(signed.open(network), Ok(model()));
    assert_eq!(signed.open(NetworkId(Digest::of(b"x"))), Err(ManifestError::Signature));
    signed.key = SecretKey::from_seed(&[4; 32]).public();
    assert_eq!(signed.open(network), Err(ManifestError::Signature));
}

proptest! {
    #[test]
    fn any_flipped_byte_is_refused(at: usize, bit in 0u8..8) {
        let (network, key) = (NetworkId(Digest::ZERO), SecretKey::from_seed(&[3; 32]));
        let mut signed = SignedManifest::sign(&dataset(), network, &key);
        let at = at % signed.bytes.len();
        signed.bytes[at] ^= 1 << bit;
        prop_assert!(signed.open(network).is_err());
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        prop_assert!(Manifest::decode(&bytes).is_err());
    }
}

#[test]
fn what_everybody_reads_is_not_sealed() {
    for manifest in [sealed(model()), sealed(dataset())] {
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }
    let error = sealed(prompt()).check().unwrap_err();
    assert!(matches!(error, ManifestError::Rule(_)), "{error}");
    let mut other = sealed(model());
    other.content.sealed.as_mut().unwrap().ambar = 2;
    let expect = ManifestError::Sealed(SealedContentError::Format(2));
    assert_eq!(Manifest::decode(&other.encode()), Err(expect));
}

/// Content that is not sealed has the bytes that it had before there was sealing; a manifest
/// that spells the absence out is another document, and none.
#[test]
fn absence_has_one_spelling() {
    let plain = model().encode();
    assert!(!plain.windows(6).any(|window| window == b"sealed"));
    let datanet = dataset().encode();
    assert!(!datanet.windows(7).any(|window| window == b"sharing"));
    assert_eq!(
        shared().id().to_string(),
        "bafyreiafa4vezdwn6pfahaqrfh54cmghn5thghe47iqgv33ac4jd2b5oba"
    );
    assert_eq!(
        sealed(model()).id().to_string(),
        "bafyreieq5xzbde4zdgd3fqflfrmqw2dkumo3enoxgsfdoznysnvyo53tnu"
    );
}
