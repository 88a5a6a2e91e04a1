//! Dependency direction: every edge of the workspace against the table of rooms.
//!
//! Direct edges are read from `cargo metadata`, those of tests included: a test
//! that reaches upwards is a design that does. What a pure crate reaches through
//! foreign libraries is read from cargo's tree.

use std::collections::BTreeSet;

use super::file::File;
use super::finding::Finding;
use super::metadata::{Dependency, Kind, Package};
use super::rooms::{IMPURE, OWNED, Room, is_named, room};

/// Breaches of one package; `manifest` is its `Cargo.toml`.
pub(super) fn check(package: &Package, manifest: &File) -> Vec<Finding> {
    let Some(from) = room(&package.name) else {
        let what = format!("`{}` has no room", package.name);
        let instead = "give it a row in xtask/src/tidy/rooms.rs";
        return vec![manifest.finding_at_line(1, what, instead)];
    };
    let mut findings: Vec<Finding> = package
        .dependencies
        .iter()
        .filter_map(|dependency| {
            let (what, instead) = breach(from, dependency)?;
            Some(manifest.finding_at_line(line_of_key(manifest, &dependency.key), what, instead))
        })
        .collect();
    findings.extend(lints_not_shared(manifest));
    findings
}

/// Libraries that the pure crate `package` reaches and must not.
pub(super) fn check_reached(
    package: &Package,
    manifest: &File,
    reached: &BTreeSet<String>,
) -> Vec<Finding> {
    let named = |name: &str| package.dependencies.iter().any(|d| d.package == name);
    IMPURE
        .iter()
        .filter(|name| reached.contains(**name) && !named(name))
        .map(|name| {
            let what = format!("pure `{}` reaches `{name}` through a library", package.name);
            let instead = format!("see `cargo tree -p {} -i {name}`, then drop it", package.name);
            manifest.finding_at_line(1, what, instead)
        })
        .collect()
}

/// What is wrong with an edge, and what to do.
fn breach(from: &Room, dependency: &Dependency) -> Option<(String, String)> {
    let (name, from_name) = (&dependency.package, from.package);
    if dependency.local {
        let allowed = room(name).is_some_and(|to| from.may_see(to));
        let what = format!("`{from_name}` must not see `{name}`");
        return (!allowed)
            .then(|| (what, "pass a value or a trait from the crate that wires both".into()));
    }
    if dependency.kind == Kind::Dev {
        return None;
    }
    if from.is_pure() && IMPURE.contains(&name.as_str()) {
        let what = format!("pure `{from_name}` depends on `{name}`");
        return Some((what, "take what it gives as a parameter".into()));
    }
    let owned = OWNED.iter().find(|owned| is_named(owned.package, name))?;
    (!owned.owners.contains(&from_name)).then(|| {
        let instead = format!("leave it to {}", owned.owners.join(", "));
        (format!("`{from_name}` must not name `{name}`"), instead)
    })
}

/// The line that names the dependency, or the first.
fn line_of_key(manifest: &File, key: &str) -> usize {
    let names = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    manifest.text.lines().position(names).map_or(1, |line| line + 1)
}

/// Without the shared lints, rustc would not ask for docs.
fn lints_not_shared(manifest: &File) -> Option<Finding> {
    (!manifest.text.contains("[lints]\nworkspace = true")).then(|| {
        let what = "the lints of the workspace are not used";
        manifest.finding_at_line(1, what, "add `[lints]` with `workspace = true`")
    })
}
