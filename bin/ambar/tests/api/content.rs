//! Content: keys of sealed versions, what a node serves, texts that are traced, and credits for
//! nothing.

use crate::common::{Person, text};
use crate::starting::credits;
use crate::support::market::until;
use crate::upstream::gguf;
use crate::world::{Ask, RECORD, Section, TERMS, World, now};
use ambar_base::{AccountId, Cid, Encode, Moment, SecretKey, codec};
use ambar_capsule::SignedManifest;
use ambar_capsule::sealing::{CustodyRequest, RecipientSecret, ReleaseRequest, VersionKey};
use ambar_licence::calendar;
use serde_json::{Value, json};

/// Until terms end that are made to end, milliseconds.
const SOON_MS: u64 = 2_500;

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] =
    &[("sealed", sealed), ("serving", serving), ("tracing", tracing), ("faucet", faucet)];

/// A version whose content only holders of its key read.
fn sealed(world: &World) {
    let sealed = world.publish_records("sealed", &["--sealed"]);
    keeping(world, &sealed);
    releasing(world, &sealed);
    grants(world, &sealed);
    missing(world, &sealed);
}

fn path(version: &str) -> String {
    format!("/api/v1/capsules/{version}/key")
}

/// A request to keep a key, signed by a key of the market.
fn keep(world: &World, version: &str, manifest: &str, name: &str) -> Ask {
    let offered = world.send(&Ask::get(path(version))).ok();
    let request: CustodyRequest =
        codec::decode(&hex::decode(text(&offered, "request")).unwrap()).unwrap();
    let wrong = VersionKey::from_bytes(&[1; 32]);
    let key = hex::encode(request.wrap(&wrong, &[2; 32]).unwrap().to_bytes());
    let body = json!({ "manifest": manifest, "key": key }).to_string();
    world.signed(Ask::new("PUT", path(version), body), name)
}

/// Keys that are handed over by others than their owners, or are none.
fn keeping(world: &World, sealed: &str) {
    let manifest = signed_manifest(world, sealed);
    let hexadecimal = hex::encode(manifest.to_bytes());
    world.refused(&keep(world, sealed, &hexadecimal, "owner"), "content_key_wrong");
    world.refused(&keep(world, sealed, &hexadecimal, "app"), "not_authorised");
    let nobody = SecretKey::from_seed(&[6; 32]);
    let body = keep(world, sealed, &hexadecimal, "app").body;
    let ask = Ask::new("PUT", path(sealed), body).signed(world.network, &nobody);
    world.refused(&ask, "account_unknown");
    for (code, manifest) in crate::ledger::bad_manifests(world) {
        let hexadecimal = hex::encode(manifest.to_bytes());
        world.refused(&keep(world, sealed, &hexadecimal, "owner"), code);
    }
}

fn signed_manifest(world: &World, version: &str) -> SignedManifest {
    let request =
        crate::support::http::Request::get(format!("/api/v1/capsules/{version}/manifest"));
    let mut opened = request.open(world.market.url()).unwrap();
    codec::decode(&opened.bytes().unwrap()).unwrap()
}

/// A request for a key.
fn request(world: &World, version: &str, licensee: AccountId, grant: u64) -> ReleaseRequest {
    ReleaseRequest {
        network: world.network,
        version: version.parse().unwrap(),
        grant,
        licensee,
        recipient: RecipientSecret::from_bytes(&[4; 32]).public(),
        nonce: [0; 32],
    }
}

/// The request as it is sent, signed by these keys.
fn release(request: &ReleaseRequest, signers: &[&SecretKey]) -> Ask {
    let signature = |key: &&SecretKey| json!({ "key": key.public().did(), "signature": hex::encode(request.sign(key).0) });
    let signatures: Vec<Value> = signers.iter().map(signature).collect();
    let body = json!({ "request": hex::encode(request.to_bytes()), "signatures": signatures });
    Ask::post(path(&request.version.to_string()), &body)
}

/// Who asks for a key, and for which.
fn releasing(world: &World, sealed: &str) {
    let (app, stranger) = (world.key("app"), world.key("stranger"));
    let (account, nobody) = (world.account(&app), SecretKey::from_seed(&[6; 32]));
    let unknown = Cid::of(b"nothing").to_string();
    let to_app = |grant| request(world, sealed, account, grant);
    let to_nobody = request(world, sealed, world.account(&nobody), 0);
    let of_nothing = request(world, &unknown, account, 0);
    world.refused(&release(&of_nothing, &[&app]), "model_not_found");
    world.refused(&release(&to_nobody, &[&nobody]), "account_unknown");
    world.refused(&release(&to_app(0), &[&stranger]), "not_authorised");
    world.refused(&release(&to_app(0), &[&app; 33]), "limit_exceeded");
    world.refused(&release(&to_app(999_999), &[&app]), "not_found");
    world.refused(&release(&to_app(world.grant.parse().unwrap()), &[&app]), "grant_missing");
    let other = release(&to_app(1), &[&app]);
    let moved = ReleaseRequest { nonce: [1; 32], ..to_app(1) };
    let body = String::from_utf8(other.body.clone()).unwrap();
    let body = body.replace(&hex::encode(to_app(1).to_bytes()), &hex::encode(moved.to_bytes()));
    world.refused(&Ask { body: body.into_bytes(), ..other }, "signature_invalid");
}

/// Grants that let nobody fetch, or not any more.
fn grants(world: &World, sealed: &str) {
    let app = world.key("app");
    let account = world.account(&app);
    let grant_of =
        |id: &str| -> u64 { text(&world.license(id, &["--no-channel"]), "grant").parse().unwrap() };
    let ask = |id: &str, grant| release(&request(world, id, account, grant), &[&app]);
    let revoked = grant_of(sealed);
    world.send(&ask(sealed, revoked)).ok();
    world.person().json(&["grant", "revoke", &revoked.to_string(), "--as", "app"]);
    world.refused(&ask(sealed, revoked), "grant_revoked");

    let no_fetch = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0\"\n";
    let closed = publish_sealed(world, "closed", no_fetch);
    world.refused(&ask(&closed, grant_of(&closed)), "right_not_granted");

    let soon = calendar::print(Moment((now().0 + SOON_MS) / 1_000 * 1_000));
    let over = publish_sealed(world, "brief", &format!("{TERMS}[term]\nuntil = {soon}\n"));
    let grant = grant_of(&over);
    until("the term is over", || {
        world.send(&ask(&over, grant)).text.contains("grant_term_over").then_some(())
    });
}

fn publish_sealed(world: &World, name: &str, terms: &str) -> String {
    let folder = world.market.files.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("one.txt"), format!("{name}: {RECORD}")).unwrap();
    let terms = world.market.write(&format!("{name}.toml"), terms);
    let publish = ["publish", folder.to_str().unwrap(), "--kind", "dataset", "--name", name];
    let how = ["--terms", &terms, "--as", "owner", "--sealed"];
    text(&world.person().json(&[&publish[..], &how].concat()), "id")
}

/// A key that is not kept any more, for who asks and for who would serve.
fn missing(world: &World, sealed: &str) {
    let home = world.market.home();
    std::fs::remove_file(home.join("sealed").join(sealed)).unwrap();
    let owner = world.key("owner");
    let of_owner = request(world, sealed, world.account(&owner), 0);
    world.refused(&release(&of_owner, &[&owner]), "content_key_missing");
    std::fs::remove_dir_all(home.join("corpora").join(sealed)).unwrap();
    let ask = Ask::new("PUT", format!("/api/v1/serving/{sealed}"), "{}");
    world.refused(&world.signed(ask, "operator"), "content_key_missing");
}

/// Engines that are none.
fn serving(world: &World) {
    let serve = |engine: &str| {
        let body = json!({ "engine": engine }).to_string();
        let ask = Ask::new("PUT", format!("/api/v1/serving/{}", world.model), body);
        world.signed(ask, "operator")
    };
    world.refused(&serve("gguf:/nowhere/model.gguf"), "file_unreadable");
    let unknown = world.market.write("unknown.gguf", gguf("bert"));
    world.refused(&serve(&format!("gguf:{unknown}")), "model_unsupported");
    let text = world.market.write("text.gguf", "no model");
    world.refused(&serve(&format!("gguf:{text}")), "engine_failed");
}

/// Texts that are too long, and records that are elsewhere.
fn tracing(world: &World) {
    let trace = |datanet: &str, text: &str| {
        Ask::post("/api/v1/trace", &json!({ "datanet": datanet, "text": text }))
    };
    world.send(&trace(&world.dataset, RECORD)).ok();
    world.refused(&trace(&world.dataset, &"long ".repeat(20_000)), "limit_exceeded");
    let elsewhere = Person::new(&world.market.files.path().join("elsewhere"), world.url());
    elsewhere.json(&["key", "new", "author"]);
    elsewhere.json(&["account", "fund", "10", "--as", "author"]);
    let records = world.market.files.path().join("records");
    let terms = world.market.write("elsewhere.toml", TERMS);
    let publish = ["publish", records.to_str().unwrap(), "--kind", "dataset", "--name", "away"];
    let how = ["--terms", &terms, "--as", "author"];
    let away = text(&elsewhere.json(&[&publish[..], &how].concat()), "id");
    world.refused(&trace(&away, RECORD), "unavailable");
}

/// Too many credits, and for a key that somebody else has.
fn faucet(world: &World) {
    let key = SecretKey::from_seed(&[3; 32]);
    world.refused(&credits(world.network, &key, "2000000"), "limit_exceeded");
    let other = credits(ambar_base::NetworkId(ambar_base::Digest::of(b"other")), &key, "1");
    world.refused(&other, "signature_invalid");
}
