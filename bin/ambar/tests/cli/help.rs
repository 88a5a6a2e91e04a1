//! The help texts as people read them. A change here is a visible, deliberate act: run with
//! INSTA_UPDATE=always and read the difference.

use super::common::{NOBODY, Person};

fn help(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let ran = Person::new(home.path(), NOBODY).run(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[test]
fn of_the_binary() {
    insta::assert_snapshot!(help(&["--help"]));
}

#[test]
fn of_publish() {
    insta::assert_snapshot!(help(&["publish", "--help"]));
}

#[test]
fn of_license() {
    insta::assert_snapshot!(help(&["license", "--help"]));
}

#[test]
fn of_cert_narrow() {
    insta::assert_snapshot!(help(&["cert", "narrow", "--help"]));
}

#[test]
fn of_demo() {
    insta::assert_snapshot!(help(&["demo", "--help"]));
}

#[test]
fn every_command_has_help_that_fits() {
    let commands = help(&["--help"]);
    let commands = commands.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> = commands.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        explains(&[name]);
    }
}

/// The help of a command, and of those below it, fits and shows an example.
fn explains(names: &[&str]) {
    let text = help(&[names, &["--help"]].concat());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let call = format!("ambar {}", names.join(" "));
    let examples = text.split("Example").nth(1).unwrap_or_else(|| panic!("no example: {text}"));
    assert!(examples.contains(&call), "{text}");
    let below = text.split("Commands:\n").nth(1).into_iter().flat_map(|list| {
        list.lines().take_while(|line| !line.is_empty()).filter_map(|l| l.split_whitespace().next())
    });
    for name in below.filter(|name| *name != "help") {
        explains(&[names, &[name]].concat());
    }
}
