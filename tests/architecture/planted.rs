//! The search for circles, on small crates with one of each kind.

use std::fs;
use std::path::Path;

use crate::source::Source;

/// The circles of a crate with these files, each circle as the names of its files.
fn circles(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    circles_without(name, &[], files)
}

fn circles_without(name: &str, templates: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("architecture")
        .join(name);
    let _ = fs::remove_dir_all(&root);
    for (file, text) in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let circles = Source::read(&root.join("lib.rs")).circles(&[], templates);
    circles
        .iter()
        .map(|circle| circle.files.join(", "))
        .collect()
}

const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b;");

/// `b` uses `a` in each of these ways, and `a` uses `b`.
#[test]
fn each_way_to_use_a_file_is_an_arrow() {
    let ways = [
        "use crate::a::f;",
        "use crate::a; fn g() { a::f() }",
        "use super::a::*;",
        "fn g() { use crate::a::f; f() }",
        "fn g() { crate::a::f() }",
        "fn g() { super::a::f() }",
        "fn g(_: crate::a::T) {}",
        "fn g() -> Vec<super::a::T> { loop {} }",
        "impl super::a::Tr for u8 {}",
        "fn g<X: crate::a::Tr>() {}",
        "fn g() { <u8 as crate::a::Tr>::f() }",
        "fn g() { assert!(crate::a::f()) }",
        "fn g() { assert_eq!(1, super::a::f()) }",
        "mod inner { fn g() { super::super::a::f() } }",
        "mod inner { use super::*; fn g() { a::f() } } use super::a;",
        "fn g(x: u8) { match x { crate::a::C => {} _ => {} } }",
        "#[cfg(not(test))] mod inner { use crate::a::f; }",
        "#[cfg(feature = \"test-util\")] mod inner { use crate::a::f; }",
        "fn g() { m!() }",
        "fn g() { assert!(m!()) }",
    ];
    let a = "macro_rules! m { () => {} } use crate::b::g; pub struct T; pub trait Tr {} fn f() {}";
    for (index, way) in ways.into_iter().enumerate() {
        let found = circles(&format!("way{index}"), &[ROOT, ("a.rs", a), ("b.rs", way)]);
        assert_eq!(found, ["a, b"], "{way}");
    }
}

#[test]
fn these_are_no_arrows() {
    let ways = [
        "",
        "// crate::a::f",
        "pub use crate::a::f;",
        "pub(super) fn g() {}",
        "use ::a::f;",
        "fn g() { ::a::f() }",
        "fn g() { assert!(::a::f()) }",
        "use other::a; fn g() { a::f() }",
        "fn g(a: u8) { assert!(a) }",
        "fn g(x: X) { assert!(x.f().a) }",
        "#[cfg(test)] mod tests { use crate::a::f; }",
        "#[cfg(all(test, unix))] mod tests { use crate::a::f; }",
        "mod a { pub fn f() {} } fn g() { a::f() }",
    ];
    let a = "use crate::b::g; fn f() {}";
    for (index, way) in ways.into_iter().enumerate() {
        let found = circles(
            &format!("no_way{index}"),
            &[ROOT, ("a.rs", a), ("b.rs", way)],
        );
        assert_eq!(found, [""; 0], "{way}");
    }
}

/// A parent that uses its child is in a circle with it only if the child uses the parent.
#[test]
fn a_parent_and_its_child() {
    let root = ("lib.rs", "mod a;");
    let child_uses = ("a/c.rs", "use super::T; pub fn f(_: T) {} pub struct U;");
    let quiet = ("a/c.rs", "pub fn f() {} pub struct U;");
    let uses = "mod c; pub struct T; fn g() { c::f() }";
    for (name, parent, child, expected) in [
        ("both", uses, child_uses, &["a, a::c"][..]),
        ("child", "mod c; pub struct T;", child_uses, &[]),
        ("parent", uses, quiet, &[]),
        (
            "shown",
            "mod c; pub use c::U; pub struct T;",
            child_uses,
            &[],
        ),
        (
            "used",
            "mod c; pub use c::U; pub struct T(U);",
            child_uses,
            &["a, a::c"],
        ),
    ] {
        assert_eq!(
            circles(name, &[root, ("a.rs", parent), child]),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_circle_of_three_goes_through_re_exports() {
    let files = [
        ("lib.rs", "mod a; mod b; pub mod c; pub use a::f;"),
        ("a.rs", "pub fn f() { crate::b::g() }"),
        ("b.rs", "pub fn g() { super::c::d::h() }"),
        ("c.rs", "pub mod d;"),
        ("c/d.rs", "pub fn h() { crate::f() }"),
    ];
    assert_eq!(circles("three", &files), ["a, b, c::d"]);
}

/// Whoever calls a macro uses what its definition names, through other macros, too.
#[test]
fn the_definition_of_a_macro_belongs_to_its_callers() {
    let files = [
        ("lib.rs", "#[macro_use] mod macros; mod a; mod b;"),
        (
            "macros.rs",
            "macro_rules! outer { () => { inner!() } } macro_rules! inner { () => { $crate::a::f() } }",
        ),
        ("a.rs", "pub fn f() { crate::b::g() }"),
        ("b.rs", "pub fn g() { outer!() }"),
    ];
    assert_eq!(circles("macros", &files), ["a, b"]);
    assert_eq!(circles_without("macros", &["outer"], &files), [""; 0]);
    assert_eq!(circles_without("macros", &["inner"], &files), [""; 0]);
}
