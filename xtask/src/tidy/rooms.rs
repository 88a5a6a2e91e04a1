//! The rooms of the house: each crate's layer and what it may see.
//!
//! The table is the architecture as data; a new crate begins with a row here.
//! Arrows run base ← pure ← ground ← I/O ← seam ← wiring ← binary; crates of I/O never see
//! each other.

/// How far from pure values a crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// Values and encodings that everybody uses.
    Base,
    /// Values in, values out.
    Pure,
    /// What crates of I/O stand on: how, never what.
    Ground,
    /// Disk, network, threads, foreign libraries.
    Io,
    /// A room fitted to another, or to a foreign engine, and nothing else.
    Seam,
    /// The layers brought together.
    Wiring,
    /// The one binary.
    Binary,
    /// Tasks of the workspace.
    Task,
}

/// One crate.
#[derive(Debug)]
pub(super) struct Room {
    /// The package's name.
    pub(super) package: &'static str,
    /// Its layer.
    pub(super) layer: Layer,
    /// Crates that it may depend on; wiring, binary and tasks see what is below
    /// them besides.
    sees: &'static [&'static str],
}

const ATTRIBUTION: &str = "ambar-attribution";
const BASE: &str = "ambar-base";
const CAPSULE: &str = "ambar-capsule";
const CHAIN: &str = "ambar-chain";
const CONSENSUS: &str = "ambar-consensus";
const LEDGER: &str = "ambar-ledger";
const LICENCE: &str = "ambar-licence";
const QUALITY: &str = "ambar-quality";
const RECEIPT: &str = "ambar-receipt";
const SIM: &str = "ambar-sim";
const TABLES: &str = "ambar-tables";

/// Every crate of the workspace, from the ground up.
pub(super) const ROOMS: [Room; 21] = [
    Room { package: BASE, layer: Layer::Base, sees: &[] },
    Room { package: CAPSULE, layer: Layer::Pure, sees: &[BASE] },
    Room { package: LICENCE, layer: Layer::Pure, sees: &[BASE] },
    Room { package: ATTRIBUTION, layer: Layer::Pure, sees: &[BASE] },
    Room { package: QUALITY, layer: Layer::Pure, sees: &[BASE] },
    Room { package: RECEIPT, layer: Layer::Pure, sees: &[BASE, ATTRIBUTION, CAPSULE, LICENCE] },
    Room {
        package: LEDGER,
        layer: Layer::Pure,
        sees: &[BASE, ATTRIBUTION, CAPSULE, LICENCE, RECEIPT],
    },
    Room { package: TABLES, layer: Layer::Ground, sees: &[] },
    Room { package: CONSENSUS, layer: Layer::Io, sees: &[BASE, TABLES] },
    Room { package: "ambar-store", layer: Layer::Io, sees: &[BASE, CAPSULE] },
    Room {
        package: "ambar-index",
        layer: Layer::Io,
        sees: &[BASE, ATTRIBUTION, CAPSULE, LEDGER, LICENCE, RECEIPT, TABLES],
    },
    Room { package: "ambar-corpus", layer: Layer::Io, sees: &[BASE, ATTRIBUTION, CAPSULE] },
    Room { package: "ambar-compute", layer: Layer::Io, sees: &[BASE] },
    Room { package: CHAIN, layer: Layer::Seam, sees: &[BASE, CONSENSUS] },
    Room { package: "ambar-machine", layer: Layer::Seam, sees: &[BASE, LEDGER, CONSENSUS] },
    Room { package: "ambar-gateway", layer: Layer::Wiring, sees: &[] },
    Room { package: "ambar-node", layer: Layer::Wiring, sees: &["ambar-gateway"] },
    Room { package: "ambar", layer: Layer::Binary, sees: &[] },
    Room { package: "ambar-bench", layer: Layer::Task, sees: &[] },
    Room { package: SIM, layer: Layer::Task, sees: &[] },
    Room { package: "xtask", layer: Layer::Task, sees: &[] },
];

/// The room of a package.
pub(super) fn room(package: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.package == package)
}

impl Room {
    /// Whether this room may depend on `other`.
    pub(super) fn may_see(&self, other: &Room) -> bool {
        let below = self.layer >= Layer::Wiring && other.layer < self.layer;
        below || self.sees.contains(&other.package)
    }

    /// Whether this room holds pure values only.
    pub(super) fn is_pure(&self) -> bool {
        self.layer <= Layer::Pure
    }
}

/// A foreign library that only some rooms may name. A name that ends with `*`
/// stands for all that begin with it.
pub(super) struct Owned {
    /// The package's name.
    pub(super) package: &'static str,
    /// Who may depend on it.
    pub(super) owners: &'static [&'static str],
}

const INFERENCE: &[&str] = &["ambar-compute"];
const ORDERING: &[&str] = &[CHAIN, SIM];
const TOP: &[&str] = &["ambar", "ambar-bench", "xtask"];

/// Libraries with an owner.
pub(super) const OWNED: [Owned; 15] = [
    Owned { package: "aead-stream", owners: &["ambar-capsule"] },
    Owned { package: "anyhow", owners: TOP },
    Owned { package: "biscuit-auth", owners: &["ambar-gateway"] },
    Owned { package: "candle-*", owners: INFERENCE },
    Owned { package: "clap", owners: TOP },
    Owned { package: "commonware-*", owners: ORDERING },
    // One rule for accepting a signature: nobody else calls a library that has another.
    Owned { package: "curve25519-*", owners: &["ambar-base"] },
    Owned { package: "ed25519-*", owners: &["ambar-base"] },
    Owned { package: "hpke", owners: &["ambar-capsule"] },
    Owned { package: "indicatif", owners: TOP },
    Owned { package: "llama-cpp-*", owners: INFERENCE },
    Owned { package: "malachitebft-*", owners: ORDERING },
    // HTTP clients of a node; the gateway calls models through `compute`, which has its own.
    Owned { package: "reqwest", owners: &["ambar", "ambar-node", "xtask"] },
    Owned { package: "tokenizers", owners: INFERENCE },
    Owned { package: "wasmtime*", owners: INFERENCE },
];

/// Libraries with a clock, disk, network, thread or randomness, which no pure
/// crate may reach, not even through another library.
pub(super) const IMPURE: [&str; 16] = [
    "async-std",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "memmap2",
    "mio",
    "rand",
    "rayon",
    "redb",
    "reqwest",
    "socket2",
    "tempfile",
    "tokio",
    "tracing-subscriber",
    "web-time",
];

/// Whether `package` is meant by `pattern`.
pub(super) fn is_named(pattern: &str, package: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => package.starts_with(prefix),
        None => package == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, OWNED, ROOMS, is_named, room};

    #[test]
    fn the_table_keeps_the_arrows() {
        for (place, from) in ROOMS.iter().enumerate() {
            for name in from.sees {
                let to = ROOMS.iter().position(|room| room.package == *name).unwrap();
                assert!(to < place, "{} sees {name}, which is above it", from.package);
                let both_io = from.layer == Layer::Io && ROOMS[to].layer == Layer::Io;
                assert!(!both_io, "{} and {name} are both I/O", from.package);
                assert!(ROOMS[to].layer <= from.layer);
            }
        }
    }

    #[test]
    fn owners_exist() {
        for owner in OWNED.iter().flat_map(|owned| owned.owners) {
            assert!(room(owner).is_some(), "{owner}");
        }
    }

    #[test]
    fn who_sees_whom() {
        let check = |from: &str, to: &str, expect: bool| {
            let seen = room(from).unwrap().may_see(room(to).unwrap());
            assert_eq!(seen, expect, "{from} -> {to}");
        };
        check("ambar-base", "ambar-capsule", false);
        check("ambar-capsule", "ambar-base", true);
        check("ambar-capsule", "ambar-licence", false);
        check("ambar-ledger", "ambar-receipt", true);
        check("ambar-receipt", "ambar-ledger", false);
        check("ambar-store", "ambar-consensus", false);
        check("ambar-index", "ambar-tables", true);
        check("ambar-store", "ambar-tables", false);
        check("ambar-ledger", "ambar-tables", false);
        check("ambar-machine", "ambar-ledger", true);
        check("ambar-machine", "ambar-compute", false);
        check("ambar-machine", "ambar-gateway", false);
        check("ambar-gateway", "ambar-compute", true);
        check("ambar-gateway", "ambar-node", false);
        check("ambar-node", "ambar-gateway", true);
        check("ambar-node", "ambar-machine", true);
        check("ambar", "ambar-node", true);
        check("ambar", "xtask", false);
        check("xtask", "ambar", true);
    }

    #[test]
    fn a_star_stands_for_every_ending() {
        assert!(is_named("candle-*", "candle-core") && !is_named("candle-*", "candles"));
        assert!(is_named("clap", "clap") && !is_named("clap", "clap_derive"));
    }
}
