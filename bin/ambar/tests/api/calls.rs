//! Calls that are refused or fail, each by all four routes of the dialect.

use crate::common::text;
use crate::support::market::until;
use crate::upstream::{Failing, failing, gguf};
use crate::world::{Ask, CALLS, Section, Stall, TERMS, World, asking, call, now};
use ambar_base::{Moment, Price, PublicKey, SecretKey};
use ambar_gateway::authorisation::{Authorisation, fingerprint};
use ambar_gateway::certificate;
use ambar_ledger::Operation;
use ambar_ledger::transaction::OpenChannel;
use ambar_licence::{Narrowing, calendar};
use ambar_receipt::Voucher;

/// Until terms and channels end that are made to end, milliseconds.
const SOON_MS: u64 = 2_500;

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] = &[
    ("narrowed", narrowed),
    ("channels", channels),
    ("terms", terms),
    ("declared", declared),
    ("agents", agents),
    ("vouchers", vouchers),
    ("engines", engines),
];

/// Every route refuses this so.
fn all(world: &World, code: &str, ask: impl Fn(&str) -> Ask) {
    for operation in CALLS {
        world.refused(&ask(operation), code);
    }
}

/// The same, once it does: time has to pass, or something to be used up.
fn all_in_time(world: &World, code: &str, ask: impl Fn(&str) -> Ask) {
    for operation in CALLS {
        until(code, || (world.send(&ask(operation)).text.contains(code)).then_some(()));
    }
}

fn plain<'a>(stall: &'a Stall) -> impl Fn(&str) -> Ask + 'a {
    |operation| call(operation, &stall.model).bearer(&stall.certificate)
}

/// What a certificate takes away.
fn narrowed(world: &World) {
    let other = world.publish("other", TERMS, "null:tokens=4");
    let agent = SecretKey::from_seed(&[7; 32]).public().did();
    let narrow = |limits: &[&str]| world.market.narrow(&world.certificate, limits);
    let check = |code: &str, certificate: &str| {
        all(world, code, |operation| call(operation, &world.model).bearer(certificate));
    };
    check("agent_signature_required", &narrow(&["--agent", &agent]));
    check("budget_exceeded", &narrow(&["--budget", "0.0000001"]));
    check("capsule_not_allowed", &narrow(&["--capsule", &other]));
    check("certificate_expired", &narrow(&["--expires", "2026-01-01T00:00:00Z"]));
    check("purpose_required", &narrow(&["--purpose", "a", "--purpose", "b"]));
    let once = narrow(&["--calls", "1"]);
    world.send(&call(CALLS[0], &world.model).bearer(&once)).ok();
    check("call_limit_exceeded", &once);
}

/// Channels that are closed, empty or over.
fn channels(world: &World) {
    let closing = world.stall("closing", TERMS, "null:tokens=4");
    world.person().json(&["channel", "close", &closing.channel, "--as", "app"]);
    all_in_time(world, "channel_closed", plain(&closing));

    let licensed = world.license(&world.model, &["--fund", "0.0001"]);
    let empty = world.market.mint(&text(&licensed, "channel"), &[]);
    all(world, "channel_empty", |operation| call(operation, &world.model).bearer(&empty));

    let session = SecretKey::from_seed(&[8; 32]);
    let status = world.person().json(&["status"]);
    let gateway = PublicKey::from_did(&text(&status["node"], "did")).unwrap();
    let open = OpenChannel {
        session_key: session.public(),
        gateway,
        grants: vec![world.grant.parse().unwrap()],
        amount: Price::CREDIT,
        unit_price_max: Price::CREDIT,
        expires: now().after(SOON_MS),
        vouchers: false,
    };
    let opened = world.act("app", vec![Operation::OpenChannel(open)]).ok();
    let number = text(&opened["results"][0], "number").parse().unwrap();
    let none = Narrowing::default();
    let over = certificate::mint(&session, world.network, number, &gateway, &none).unwrap();
    all_in_time(world, "channel_expired", |operation| call(operation, &world.model).bearer(&over));
}

/// What the terms say.
fn terms(world: &World) {
    let engine = "null:tokens=4";
    let stall = |name: &str, terms: &str| world.stall(name, terms, engine);

    let deep = stall("deep", &format!("{TERMS}[delegation]\ndepth = 1\n"));
    let further = |certificate: &str| world.market.narrow(certificate, &["--calls", "1000"]);
    let passed_on = further(&further(&deep.certificate));
    all(world, "delegation_too_deep", |op| call(op, &deep.model).bearer(&passed_on));

    let revoked = stall("revoked", TERMS);
    world.person().json(&["grant", "revoke", &revoked.grant, "--as", "app"]);
    all_in_time(world, "grant_revoked", plain(&revoked));

    let soon = calendar::print(Moment((now().0 + SOON_MS) / 1_000 * 1_000));
    let over = stall("over", &format!("{TERMS}[term]\nuntil = {soon}\n"));
    all_in_time(world, "grant_term_over", plain(&over));

    let no_call = stall("no-call", "terms = 1\ngrants = [\"fetch\"]\n[price]\nper_call = \"0\"\n");
    all(world, "right_not_granted", plain(&no_call));

    let few = stall("few", &format!("{TERMS}[quota]\ncalls = 1\nper = \"term\"\n"));
    all_in_time(world, "quota_exceeded", plain(&few));
    let slow = stall("slow", &format!("{TERMS}[quota]\nrate = \"1/m\"\n"));
    all_in_time(world, "rate_exceeded", plain(&slow));
    let spent = format!("{TERMS}[quota]\nspend = \"0.0015\"\nper = \"term\"\n");
    all_in_time(world, "spend_exceeded", plain(&stall("spent", &spent)));

    let dear = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"18446744073.709551615\"\n";
    all(world, "limit_exceeded", plain(&stall("dear", dear)));
}

/// What a call says of itself.
fn declared(world: &World) {
    let plain = |operation: &str| call(operation, &world.model).bearer(&world.certificate);
    all(world, "price_above_limit", |op| plain(op).header("Ambar-Price-Max", "0.000000001"));
    let denied = format!("{TERMS}[purposes]\ndeny = [\"surveillance\"]\n");
    let denied = world.stall("denied", &denied, "null:tokens=4");
    all(world, "purpose_not_allowed", |operation| {
        let ask = call(operation, &denied.model).bearer(&denied.certificate);
        ask.header("Ambar-Purpose", "surveillance")
    });
    for operation in CALLS {
        let keyed = |ask: Ask| ask.bearer(&world.certificate).header("Idempotency-Key", operation);
        world.send(&keyed(call(operation, &world.model))).ok();
        let other = keyed(asking(operation, &world.model, "something else"));
        world.refused(&other, "idempotency_conflict");
    }
}

/// What somebody signs of a call.
struct Word<'a> {
    signer: &'a SecretKey,
    certificate: &'a str,
    time: Moment,
    price_max: Option<Price>,
}

/// A call with the word of an agent or of the session key.
fn signed_call(ask: Ask, word: &Word<'_>) -> Ask {
    let described = certificate::inspect(word.certificate).unwrap();
    let key = format!("{}-{}", ask.path, word.time.0);
    let authorisation = Authorisation {
        network: described.authority.network,
        channel: described.authority.channel,
        holder: described.holder,
        request: fingerprint(&ask.path, &ask.body),
        key: key.clone(),
        purpose: None,
        price_max: word.price_max,
        time: word.time,
        salt: None,
    };
    let ask = ask
        .bearer(word.certificate)
        .header("Idempotency-Key", &key)
        .header("Ambar-Agent", &word.signer.public().did())
        .header("Ambar-Agent-Time", &word.time.0.to_string())
        .header("Ambar-Agent-Signature", &hex::encode(authorisation.sign(word.signer).0));
    match word.price_max {
        Some(most) => ask.header("Ambar-Price-Max", &most.to_string()),
        None => ask,
    }
}

/// Words of agents that are too old, or for another call.
fn agents(world: &World) {
    let agent = SecretKey::from_seed(&[7; 32]);
    let bound = world.market.narrow(&world.certificate, &["--agent", &agent.public().did()]);
    let word = |time: Moment| Word { signer: &agent, certificate: &bound, time, price_max: None };
    all(world, "clock_skew", |operation| {
        signed_call(call(operation, &world.model), &word(Moment(now().0 - 3_600_000)))
    });
    all(world, "signature_invalid", |operation| {
        let ask = signed_call(call(operation, &world.model), &word(now()));
        Ask { body: asking(operation, &world.model, "something else").body, ..ask }
    });
}

/// Channels on which nothing settles that is not signed.
fn vouchers(world: &World) {
    let licensed = world.license(&world.model, &["--vouchers"]);
    let channel = text(&licensed, "channel");
    let certificate = world.market.mint(&channel, &[]);
    let plain = |operation: &str| call(operation, &world.model).bearer(&certificate);
    all(world, "voucher_required", plain);
    let session = world.session(&channel);
    let total = Price(1);
    let voucher = Voucher::sign(world.network, channel.parse().unwrap(), total, &session);
    all(world, "voucher_exceeded", |operation| {
        let price_max = Some(Price::CREDIT);
        let word = Word { signer: &session, certificate: &certificate, time: now(), price_max };
        signed_call(call(operation, &world.model), &word)
            .header("Ambar-Voucher", &total.to_string())
            .header("Ambar-Voucher-Signature", &hex::encode(voucher.signature.0))
    });
}

/// Engines that fail, that a question is too long for, and that may not serve any more.
fn engines(world: &World) {
    let stall = |name: &str, engine: &str| world.stall(name, TERMS, engine);
    all(world, "engine_busy", plain(&stall("busy", &failing(Failing::Busy))));
    all(world, "bad_gateway", plain(&stall("broken", &failing(Failing::Broken))));
    let silent = stall("silent", &failing(Failing::Silent));
    all(world, "deadline_exceeded", |operation| {
        plain(&silent)(operation).header("Ambar-Timeout", "0.05")
    });
    // A card is published, and then served by a file that its capsule does not have.
    let by_file = |name: &str, path: &str| {
        let stall = stall(name, "null:tokens=4");
        let engine = format!("gguf:{path}");
        world.person().json(&["capsule", "serve", &stall.model, "--engine", &engine]);
        stall
    };
    let empty = by_file("empty", &world.market.write("empty.gguf", gguf("llama")));
    let model = std::env::var("AMBAR_MODEL_GGUF")
        .expect("set AMBAR_MODEL_GGUF to the small model; ./check does so");
    let small = by_file("small", &model);
    let long = "word ".repeat(20_000);
    for operation in CALLS.into_iter().filter(|operation| *operation != "embedding") {
        let ask = asking(operation, &small.model, &long).bearer(&small.certificate);
        world.refused(&ask, "context_length_exceeded");
        world.refused(&plain(&empty)(operation), "engine_failed");
    }

    let denied = stall("denied-here", "null:tokens=4");
    let node = text(&world.person().json(&["status"])["node"], "did");
    world.person().json(&["capsule", "deny", &denied.model, &node, "--as", "owner"]);
    all_in_time(world, "unavailable", plain(&denied));
}

/// Answers that were made, and whose secrets are erased meanwhile: what time does to them, done at
/// once.
pub fn provoke_erased(world: &mut World) {
    let keyed = |operation: &str| {
        let ask = call(operation, &world.model).bearer(&world.certificate);
        ask.header("Idempotency-Key", &format!("kept-{operation}"))
    };
    let asks = CALLS.map(keyed);
    asks.iter().for_each(|ask| drop(world.send(ask).ok()));
    world.market.kill();
    let secrets = world.market.home().join("journal/answers");
    for entry in std::fs::read_dir(&secrets).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    world.market.start();
    world.witness.turn_to(world.market.url());
    asks.iter().for_each(|ask| world.refused(ask, "answer_erased"));
}
