use std::collections::BTreeSet;

use super::blank::code_only;
use super::file::{File, read_all};
use super::metadata::{Dependency, Kind, Package};
use super::{edges, file_findings, findings, root, silent};

#[test]
fn the_house_is_tidy() {
    let findings = findings(root().unwrap()).unwrap();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} findings\n{}", lines.len(), lines.join("\n"));
}

/// The lexer understood a file if the brackets of what is left pair up.
#[test]
fn brackets_pair_up_in_all_our_code() {
    for file in read_all(root().unwrap()).unwrap() {
        let mut open = Vec::new();
        for byte in file.code.bytes() {
            match byte {
                b'(' => open.push(b')'),
                b'[' => open.push(b']'),
                b'{' => open.push(b'}'),
                b')' | b']' | b'}' => assert_eq!(open.pop(), Some(byte), "{}", file.path),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{}", file.path);
    }
}

#[test]
fn only_code_is_left() {
    let check = |text: &str, expect: &str| assert_eq!(code_only(text), expect, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* /* b */ c */ d", "a                 d");
    check("a \"b\\\"c\" d", "a        d");
    check("a r#\"b\"c\"# d", "a          d");
    check("a br\"b\\\" d", "a        d");
    check("a r#fn d", "a r#fn d");
    check("bar\"b\" d", "bar    d");
    check("'a' 'b: &'c '\\'' '\\u{1}' d", "    'b: &'c              d");
    check("'é' d", "     d");
    check("'\"' d", "    d");
    check("\"é\nb\" d", "   \n   d");
    check("\"open", "     ");
    check("/* open", "       ");
}

/// The lines of `text` with a finding, and a word of what each one says.
fn check_file(path: &str, pure: bool, text: &str, expect: &[(usize, &str)]) {
    let mut found = file_findings(&File::new(path, text), pure);
    found.sort();
    assert_eq!(found.len(), expect.len(), "{path}: {text}\n{found:?}");
    for (finding, (line, what)) in found.iter().zip(expect) {
        assert_eq!(finding.line, *line, "{finding}");
        assert!(finding.what.contains(what), "{finding} does not say {what}");
    }
}

#[test]
fn words_that_promise() {
    let check = |text: &str, expect: &[(usize, &str)]| {
        check_file("a.md", false, text, expect);
        check_file("b.toml", false, text, expect);
    };
    check("TODO", &[(1, "TODO")]);
    check("a\nb FIXME: c", &[(2, "FIXME")]);
    check("XXX and XXXL", &[(1, "XXX")]);
    check("todo = \"warn\"", &[]);
    check("It is so For now.", &[(1, "for now")]);
    check("for nowhere", &[]);
    check("a Stub, two stubs, stubborn", &[(1, "stub"), (1, "stubs")]);
    check("fn stub_of()", &[(1, "stub")]);
    check("placeholder", &[(1, "placeholder")]);
    check("a hack", &[(1, "hack")]);
    check("shack hackney", &[]);
    check_file(
        "a.rs",
        false,
        "//! A.\nconst A: &str = \"TODO\"; // hack",
        &[(2, "TODO"), (2, "hack")],
    );
}

#[test]
fn paths_of_one_machine() {
    let check = |text: &str, expect: &[(usize, &str)]| check_file("a.sh", false, text, expect);
    check("cat /tmp/a", &[(1, "/tmp/")]);
    check("x=\"/home/me/a\"", &[(1, "/home/")]);
    check("a\n(/root/a)", &[(2, "/root/")]);
    check("https://example.org/home/a", &[]);
    check("$HOME/work/a ${HOME}/work/a ~/work/a */tmp/a", &[]);
    check("target/tmp/a ./work/a", &[]);
}

#[test]
fn unfinished_code_and_silenced_lints() {
    let check = |text: &str, expect: &[(usize, &str)]| {
        check_file("a.rs", false, &format!("//! A.\n{text}"), expect);
    };
    check("fn a() { todo!() }", &[(2, "todo!")]);
    check("fn a() { unimplemented!(); dbg!(1) }", &[(2, "dbg!"), (2, "unimplemented!")]);
    check("fn a() { \"dbg!\"; /* dbg! */ }", &[]);
    check("#[ignore]\nfn a() {}", &[(2, "#[ignore")]);
    check("#[ignore = \"slow\"]\nfn a() {}", &[(2, "#[ignore")]);
    check("#[allow(dead_code)]\nfn a() {}", &[(2, "#[allow(")]);
    check("#![allow(dead_code)]", &[(2, "#![allow(")]);
    check("#[expect(dead_code)]\nfn a() {}", &[(2, "without a reason")]);
    check("#![expect(dead_code)]", &[(2, "without a reason")]);
    check("#[expect(\n dead_code,\n reason = \"b\"\n)]\nfn a() {}", &[]);
    check("fn a() { x[expect(1)] }", &[]);
}

#[test]
fn shape_of_files() {
    let lines = |count: usize| "x\n".repeat(count);
    let source = |count: usize| format!("//! A.\n{}", lines(count - 1));
    check_file("crates/a/src/b.rs", false, &source(500), &[]);
    check_file("crates/a/src/b.rs", false, &source(501), &[(501, "501 lines")]);
    check_file("crates/a/src/b_tests.rs", false, &lines(700), &[]);
    check_file("crates/a/src/b_tests.rs", false, &lines(701), &[(701, "701 lines")]);
    check_file("crates/a/tests/b.rs", false, &source(700), &[]);
    check_file("crates/a/tests/b.rs", false, "x\n", &[(1, "module docs")]);
    check_file("crates/a/src/b.rs", false, "/// B\n", &[(1, "module docs")]);
    check_file("README.md", false, &lines(2000), &[]);
    let function = |inner: usize| format!("//! A.\n\nfn long() {{\n{}}}\n", lines(inner));
    check_file("a.rs", false, &function(68), &[]);
    check_file("a.rs", false, &function(69), &[(3, "`long` has 71 lines")]);
}

#[test]
fn pure_sources() {
    let check = |text: &str, expect: &[(usize, &str)]| {
        let text = format!("//! A.\n{text}");
        check_file("crates/a/src/b.rs", true, &text, expect);
        check_file("crates/a/src/b.rs", false, &text, &[]);
    };
    check("use std::fs;", &[(2, "std::fs")]);
    check("use std::fs::File;", &[(2, "std::fs")]);
    check("use std::{fmt, net::IpAddr, sync};", &[(2, "std::net")]);
    check("fn a() { ::std::thread::spawn(b) }", &[(2, "std::thread")]);
    check("use std::fmt;\nuse std::timer;", &[]);
    check("use std::time::Duration;", &[(2, "std::time")]);
    check("fn a(t: SystemTime) {}", &[(2, "SystemTime")]);
    check("fn a() { Instant::now() }", &[(2, "Instant::now")]);
    check("fn a(x: f64) {}", &[(2, "f64")]);
    check(
        "fn a() { 1.5 + 1..5; 2e9; 1f32; 0x1e5; x.0.1; 0..2.5 }",
        &[(2, "`1.5`"), (2, "`1f32`"), (2, "`2.5`"), (2, "`2e9`")],
    );
    check("// f64 and HashMap\nconst A: &str = \"1.5\";", &[]);
    check("use std::collections::HashMap;", &[(2, "HashMap")]);
    check("fn a() {}\n#[cfg(test)]\nmod tests {\n use std::fs;\n}", &[]);
    check("#[cfg(test)]\nmod tests {\n}\nuse std::fs;", &[(5, "std::fs")]);
    check_file("crates/a/src/b_tests.rs", true, "use std::fs;", &[]);
    check_file("crates/a/tests/b.rs", true, "//! B.\nuse std::fs;", &[]);
}

fn package(name: &str, dependency: &str, kind: Kind) -> Package {
    let dependency = Dependency {
        package: dependency.into(),
        key: dependency.into(),
        kind,
        local: dependency.starts_with("ambar") || dependency == "xtask",
    };
    Package { name: name.into(), directory: "a".into(), dependencies: vec![dependency] }
}

#[test]
fn edges_of_the_workspace() {
    let check = |name: &str, dependency: &str, kind: Kind, expect: &str| {
        let text =
            format!("[dependencies]\n{dependency}.workspace = true\n[lints]\nworkspace = true");
        let found = edges::check(&package(name, dependency, kind), &File::new("Cargo.toml", text));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected = if expect.is_empty() { 0 } else { 1 };
        assert_eq!(found.len(), expected, "{name} -> {dependency}: {found:?}");
        if expected == 1 {
            assert!(
                found[0].starts_with("Cargo.toml:2: ") && found[0].contains(expect),
                "{found:?}"
            );
        }
    };
    let both = |name: &str, dependency: &str, expect: &str| {
        check(name, dependency, Kind::Normal, expect);
        check(name, dependency, Kind::Dev, expect);
    };
    both("ambar-capsule", "ambar-base", "");
    both("ambar-capsule", "ambar-receipt", "must not see `ambar-receipt`");
    both("ambar-store", "ambar-consensus", "must not see `ambar-consensus`");
    both("ambar-store", "ambar-newcomer", "must not see `ambar-newcomer`");
    both("ambar", "xtask", "must not see `xtask`");
    check("ambar-ledger", "tokio", Kind::Normal, "pure `ambar-ledger` depends on `tokio`");
    check("ambar-ledger", "tokio", Kind::Dev, "");
    check("ambar-store", "tokio", Kind::Normal, "");
    check("ambar-gateway", "candle-core", Kind::Normal, "leave it to ambar-compute");
    check("ambar-compute", "candle-core", Kind::Normal, "");
    check("ambar-node", "biscuit-auth", Kind::Normal, "leave it to ambar-gateway");
    check("ambar-index", "anyhow", Kind::Normal, "leave it to ambar, ambar-bench, xtask");
    check("ambar-gateway", "reqwest", Kind::Normal, "must not name `reqwest`");
}

#[test]
fn rooms_and_lints_are_asked_for() {
    let check = |name: &str, text: &str, expect: &[&str]| {
        let found =
            edges::check(&package(name, "serde", Kind::Normal), &File::new("Cargo.toml", text));
        assert_eq!(found.len(), expect.len(), "{found:?}");
        assert!(
            found.iter().zip(expect).all(|(f, part)| f.to_string().contains(part)),
            "{found:?}"
        );
    };
    check("ambar-base", "[lints]\nworkspace = true\n", &[]);
    check("ambar-base", "[dependencies]\n", &["lints of the workspace are not used"]);
    check("ambar-newcomer", "[lints]\nworkspace = true\n", &["has no room"]);
}

#[test]
fn what_a_pure_crate_reaches() {
    let check = |dependency: &str, reached: &[&str], expect: &[&str]| {
        let reached: BTreeSet<String> = reached.iter().map(ToString::to_string).collect();
        let package = package("ambar-base", dependency, Kind::Normal);
        let found = edges::check_reached(&package, &File::new("Cargo.toml", ""), &reached);
        assert_eq!(found.len(), expect.len(), "{found:?}");
        assert!(found.iter().zip(expect).all(|(f, part)| f.what.contains(part)), "{found:?}");
    };
    check("serde", &["serde", "sha2"], &[]);
    check("serde", &["serde", "getrandom"], &["reaches `getrandom`"]);
    // Named directly, it is found in the manifest already.
    check("getrandom", &["getrandom"], &[]);
}

#[test]
fn tests_that_do_not_run_are_found() {
    let (name, directory) = ("ambar-chain".to_owned(), "crates/chain".to_owned());
    let package = Package { name, directory, dependencies: Vec::new() };
    let files = [
        File::new("crates/chain/src/lib.rs", "//! Not a cfg(test).\n\n#[cfg(test)]\nmod tests;\n"),
        File::new("crates/chain/tests/all.rs", "#[cfg(test)]\nmod more;\n"),
        File::new("crates/other/src/lib.rs", "#[cfg(test)]\nmod tests;\n"),
    ];
    let found = |manifest: &str| {
        let manifest = File::new("crates/chain/Cargo.toml", manifest);
        let found = silent::check(&package, &manifest, &files);
        found.into_iter().map(|finding| (finding.path, finding.line)).collect::<Vec<_>>()
    };
    assert_eq!(found("[lib]\ntest = false\n"), [("crates/chain/src/lib.rs".to_owned(), 3)]);
    assert_eq!(found("[lib]\n"), []);
}
