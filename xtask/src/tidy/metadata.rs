//! What cargo says about the workspace: its packages, what they depend on, and
//! what they reach through others.
//!
//! It asks with the lock file as it is, so that looking changes nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// When a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the crate itself or its build script.
    Normal,
    /// By tests, examples and benches only.
    Dev,
}

/// One line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The package.
    pub(super) package: String,
    /// The name it has in the manifest.
    pub(super) key: String,
    /// When it is needed.
    pub(super) kind: Kind,
    /// Whether it is of this workspace.
    pub(super) local: bool,
}

/// One package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    /// Relative to the root, with `/`.
    pub(super) directory: String,
    /// Direct dependencies.
    pub(super) dependencies: Vec<Dependency>,
}

impl Package {
    /// Whether a file of this path is the package's.
    pub(super) fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.directory).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// The packages of the workspace.
pub(super) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let text = cargo(root, &["metadata", "--no-deps", "--format-version=1"])?;
    parse(&serde_json::from_str(&text).context("cargo metadata")?)
}

/// The packages that `package` reaches when it is built alone, tests excepted.
pub(super) fn reached(root: &Path, package: &str) -> anyhow::Result<BTreeSet<String>> {
    let text = cargo(
        root,
        &[
            "tree",
            "--locked",
            "--edges=normal",
            "--prefix=none",
            "--format={p}",
            "--package",
            package,
        ],
    )?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).current_dir(root).args(arguments).output().context("start cargo")?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("cargo's answer")
}

/// Reads the document of `cargo metadata`, format version 1.
pub(super) fn parse(metadata: &Value) -> anyhow::Result<Vec<Package>> {
    let root = text(metadata, "workspace_root")?;
    array(metadata, "packages")?
        .iter()
        .map(|package| {
            let manifest = text(package, "manifest_path")?;
            let directory = Path::new(manifest)
                .parent()
                .and_then(|directory| directory.strip_prefix(root).ok())
                .with_context(|| format!("{manifest} is outside {root}"))?;
            Ok(Package {
                name: text(package, "name")?.to_owned(),
                directory: directory.to_string_lossy().replace('\\', "/"),
                dependencies: array(package, "dependencies")?
                    .iter()
                    .map(dependency)
                    .collect::<anyhow::Result<_>>()?,
            })
        })
        .collect()
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    let package = text(value, "name")?.to_owned();
    let key = value["rename"].as_str().unwrap_or(&package).to_owned();
    let kind = if value["kind"] == "dev" { Kind::Dev } else { Kind::Normal };
    Ok(Dependency { package, key, kind, local: value["path"].is_string() })
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value[key].as_str().with_context(|| format!("cargo metadata has no text `{key}`"))
}

fn array<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("cargo metadata has no array `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Kind, Package, parse};
    use serde_json::json;

    #[test]
    fn packages_and_their_dependencies_are_read() {
        let dependency = |name: &str| json!({"name": name, "kind": null, "rename": null});
        let mut renamed = dependency("getrandom");
        renamed["rename"] = json!("getrandom-04");
        renamed["kind"] = json!("dev");
        let mut local = dependency("ambar-base");
        local["path"] = json!("/w/crates/base");
        let found = parse(&json!({"workspace_root": "/w", "packages": [{
            "name": "ambar-capsule",
            "manifest_path": "/w/crates/capsule/Cargo.toml",
            "dependencies": [renamed, local],
        }]}))
        .unwrap();
        let row = |package: &str, key: &str, kind, local| Dependency {
            package: package.into(),
            key: key.into(),
            kind,
            local,
        };
        let expect = Package {
            name: "ambar-capsule".into(),
            directory: "crates/capsule".into(),
            dependencies: vec![
                row("getrandom", "getrandom-04", Kind::Dev, false),
                row("ambar-base", "ambar-base", Kind::Normal, true),
            ],
        };
        assert_eq!(found, [expect]);
        assert!(found[0].holds("crates/capsule/src/lib.rs"));
        assert!(!found[0].holds("crates/capsules/src/lib.rs"));
        parse(&json!({"workspace_root": "/w"})).unwrap_err();
    }
}
