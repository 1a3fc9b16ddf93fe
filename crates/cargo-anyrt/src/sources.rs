//! The items of Tokio that the sources of a package use.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::visit::{self, Visit};

use crate::surface::Surface;

/// An item of Tokio that a source uses and anyrt lacks.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Scans the sources of the package in `dir`, which uses Tokio under these names.
pub(crate) fn absent(dir: &Path, names: &[String], surface: &Surface) -> Vec<Use> {
    let mut found = Vec::new();
    for file in files(dir) {
        // Files that do not parse are left to the compiler.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        if !names.iter().any(|name| text.contains(name)) {
            continue;
        }
        let Ok(syntax) = syn::parse_file(&text) else {
            continue;
        };
        let mut finder = Finder {
            names,
            surface,
            text: &text,
            found: Vec::new(),
        };
        finder.visit_file(&syntax);
        found.extend(finder.found.into_iter().map(|(line, what)| Use {
            file: file.clone(),
            line,
            what,
        }));
    }
    found
}

/// Returns the Rust files of a package, without those of packages inside it.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(at) = pending.pop() {
        let Ok(entries) = fs::read_dir(&at) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                let other = path.join("Cargo.toml").exists();
                if !other && name != "target" && !name.starts_with('.') {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

struct Finder<'a> {
    names: &'a [String],
    surface: &'a Surface,
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl Finder<'_> {
    fn path(&mut self, mut path: Vec<String>, span: Span) {
        if path.len() < 2 || !self.names.contains(&path[0]) {
            return;
        }
        path[0] = "tokio".to_owned();
        if let Some(what) = self.surface.lacks(&path) {
            self.found.push((span.start().line, what));
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &proc_macro2::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.path(with(&name.ident), name.ident.span()),
            syn::UseTree::Rename(rename) => self.path(with(&rename.ident), rename.ident.span()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree);
                }
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        let span = path.segments.first().map(|segment| segment.ident.span());
        if let Some(span) = span {
            self.path(names.collect(), span);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let called = call.method.to_string();
        for (of, method, reason) in self.surface.methods() {
            // Types are not known here: the method counts if the file names the type, too.
            if called == method && self.text.contains(of) {
                let what = format!("`{of}::{method}` is absent: {reason}");
                self.found.push((call.method.span().start().line, what));
            }
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::absent;
    use crate::surface::Surface;

    #[test]
    fn uses_are_found_by_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let source = "use rt::{net::TcpStream, task::{self, NoSuchThing}};\n\nfn f() {\n    rt::runtime::no_such_function();\n    tokio::task::not_ours();\n}\n";
        std::fs::write(dir.path().join("lib.rs"), source).unwrap();
        std::fs::write(dir.path().join("broken.rs"), "fn rt(").unwrap();
        let found = absent(dir.path(), &["rt".to_owned()], &Surface::new());
        let lines: Vec<_> = found.iter().map(|used| used.line).collect();
        assert_eq!(lines, [1, 4], "{found:?}");
        assert!(found[0].what.contains("tokio::task::NoSuchThing"));
    }
}
