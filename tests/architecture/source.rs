//! What the files of a crate define, and which files each of them uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::reader::Reader;

/// A module, as a path from the root of the crate.
pub(crate) type Module = Vec<String>;

/// The modules of one crate.
#[derive(Default)]
pub(crate) struct Source {
    modules: BTreeMap<Module, Scope>,
    /// Its files, with those that are for tests and say nothing here.
    read: BTreeSet<PathBuf>,
}

/// What a module says, without the modules inside of it.
#[derive(Default)]
pub(crate) struct Scope {
    /// The module that the file is.
    pub(crate) file: Module,
    /// The paths that it mentions, other than in re-exports.
    pub(crate) mentions: BTreeSet<Vec<String>>,
    /// The names that it imports, private or not, and their paths.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    /// The macros that it defines by `macro_rules!`.
    pub(crate) macros: BTreeMap<String, Macro>,
    /// The names of the macros that it calls.
    pub(crate) calls: BTreeSet<String>,
    pub(crate) globs: Vec<Vec<String>>,
    pub(crate) items: BTreeSet<String>,
    pub(crate) types: Vec<Type>,
}

/// What the definition of a macro says, which is then said by whoever calls it.
#[derive(Default)]
pub(crate) struct Macro {
    /// The paths from the root of the crate.
    pub(crate) paths: BTreeSet<Vec<String>>,
    pub(crate) calls: BTreeSet<String>,
}

/// Files that use each other.
#[derive(Debug)]
pub(crate) struct Circle {
    pub(crate) files: Vec<String>,
    /// Which of them uses which, and what it says.
    arrows: Vec<[String; 3]>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.files.join(", "))?;
        for [from, to, by] in &self.arrows {
            write!(f, "\n    {from} uses {to}: {by}")?;
        }
        Ok(())
    }
}

/// A struct, enum, union or trait.
#[derive(Debug, Clone)]
pub(crate) struct Type {
    pub(crate) name: String,
    /// It, or a module around it, exists under a condition only.
    pub(crate) is_conditional: bool,
}

/// A module with a file of its own.
pub(crate) struct Declared {
    pub(crate) module: Module,
    /// The attribute `path`.
    pub(crate) path: Option<String>,
    pub(crate) is_conditional: bool,
    pub(crate) is_for_tests: bool,
}

impl Source {
    /// Reads the crate with this `lib.rs`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut source = Self::default();
        source.add(root, Vec::new(), false);
        source
    }

    fn add(&mut self, path: &Path, module: Module, is_conditional: bool) {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (mut scopes, declared) = Reader::read(&syntax, module.clone(), is_conditional);
        // A file that several modules have still defines each type once.
        if !self.read.insert(path.to_owned()) {
            scopes.values_mut().for_each(|scope| scope.types.clear());
        }
        self.modules.append(&mut scopes);
        let beside = path.parent().expect("a file is in a folder");
        let below = match path.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "main.rs" | "mod.rs") => beside.to_owned(),
            _ => path.with_extension(""),
        };
        for inner in declared {
            let path = match &inner.path {
                Some(path) => Some(beside.join(path)).filter(|path| path.exists()),
                None => file_of(&below, &inner.module[module.len()..]),
            };
            let path = path.unwrap_or_else(|| panic!("{:?} has no file", inner.module));
            if inner.is_for_tests {
                self.read.insert(path);
            } else {
                self.add(&path, inner.module, inner.is_conditional);
            }
        }
    }

    /// The types of each module.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&Module, &Type)> {
        let modules = self.modules.iter();
        modules.flat_map(|(module, scope)| scope.types.iter().map(move |item| (module, item)))
    }

    pub(crate) fn paths(&self) -> &BTreeSet<PathBuf> {
        &self.read
    }

    /// The folder of `lib.rs`.
    pub(crate) fn folder(&self) -> &Path {
        let shortest = self.read.iter().min_by_key(|path| path.iter().count());
        shortest
            .and_then(|path| path.parent())
            .expect("it has files")
    }

    pub(crate) fn has_read(&self, path: &Path) -> bool {
        self.read.contains(path)
    }

    /// Files that use each other in a circle, without what uses one of `hubs`, and without the
    /// calls of the macros `templates`.
    pub(crate) fn circles(&self, hubs: &[Module], templates: &[&str]) -> Vec<Circle> {
        let uses = self.uses(templates);
        let reaches: BTreeMap<&Module, BTreeSet<&Module>> = uses
            .keys()
            .map(|module| (module, reach(&uses, module, hubs)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, reached) in &reaches {
            let circle = reached
                .iter()
                .filter(|other| reaches[*other].contains(*module));
            let circle: BTreeSet<_> = circle.copied().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        let arrows_of = |files: &BTreeSet<&Module>| {
            let arrows = files.iter().flat_map(|from| {
                let used = uses[*from].iter().filter(|(to, _)| files.contains(to));
                used.map(move |(to, by)| [from.join("::"), to.join("::"), by.clone()])
            });
            arrows.collect()
        };
        let circles = circles.iter();
        circles
            .map(|files| Circle {
                files: files.iter().map(|file| file.join("::")).collect(),
                arrows: arrows_of(files),
            })
            .collect()
    }

    /// The files that each file uses directly, with a path that says so.
    fn uses(&self, templates: &[&str]) -> BTreeMap<Module, BTreeMap<Module, String>> {
        let mut uses: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (module, scope) in &self.modules {
            let used = uses.entry(scope.file.clone()).or_default();
            for path in &scope.mentions {
                // A variable may be called like a module below.
                let below = [&module[..], path].concat();
                if path.len() == 1 && self.modules.contains_key(&below) {
                    continue;
                }
                if let Some(found) = self.resolve(module, path, 0) {
                    let file = &self.modules[&found].file;
                    if *file != scope.file {
                        used.insert(file.clone(), path.join("::"));
                    }
                }
            }
            for (found, call) in self.called(scope, templates) {
                let file = &self.modules[&found].file;
                if *file != scope.file {
                    used.entry(file.clone()).or_insert(call);
                }
            }
        }
        uses
    }

    /// The modules that define the macros that a module calls, and those that these macros name.
    fn called(&self, scope: &Scope, templates: &[&str]) -> Vec<(Module, String)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = scope.calls.iter().collect();
        while let Some(name) = next.pop() {
            let definitions = self.modules.iter();
            let definitions = definitions.filter_map(|(at, of)| Some((at, of.macros.get(name)?)));
            // One that is defined in several modules is for the module alone.
            let [(at, definition)] = definitions.collect::<Vec<_>>()[..] else {
                continue;
            };
            if templates.contains(&name.as_str()) || !seen.insert(name) {
                continue;
            }
            found.push((at.clone(), format!("{name}!")));
            for path in &definition.paths {
                let used = self.resolve(at, path, 0);
                found.extend(used.map(|used| (used, format!("{name}!: {}", path.join("::")))));
            }
            next.extend(&definition.calls);
        }
        found
    }

    /// The module that defines what `path` names in `module`; `None` if that is another crate.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let above = path.iter().take_while(|part| *part == "super").count();
        let (at, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (&module[..], &path[1..]),
            "super" => (&module[..module.len().checked_sub(above)?], &path[above..]),
            // What nothing here is called is another crate.
            _ => match self.follow(module.clone(), path, depth) {
                (found, true) => return found,
                (_, false) => return None,
            },
        };
        self.follow(at.to_vec(), rest, depth).0
    }

    /// Follows a path from a module; `true` if it was found there, and not taken for granted.
    fn follow(&self, mut at: Module, mut rest: &[String], depth: usize) -> (Option<Module>, bool) {
        while let [first, others @ ..] = rest {
            let inner = [&at[..], std::slice::from_ref(first)].concat();
            if !self.modules.contains_key(&inner) {
                break;
            }
            (at, rest) = (inner, others);
        }
        let [name, others @ ..] = rest else {
            return (Some(at), true);
        };
        let scope = &self.modules[&at];
        if scope.items.contains(name) {
            return (Some(at), true);
        }
        if depth > 8 {
            return (None, false);
        }
        if let Some(import) = scope.imports.get(name) {
            // `use name;` or `use name::…` is about another crate, unless a module has the name.
            let is_itself = import.first() == Some(name);
            let path = [import, others].concat();
            let found = (!is_itself)
                .then(|| self.resolve(&at, &path, depth + 1))
                .flatten();
            return (found, true);
        }
        for glob in &scope.globs {
            let path = [glob, rest].concat();
            let found = self.resolve(&at, &path, depth + 1);
            let has_it = |found: &Module| {
                *found != at
                    && (self.modules[found].items.contains(name) || found.last() == Some(name))
            };
            if found.as_ref().is_some_and(has_it) {
                return (found, true);
            }
        }
        (Some(at), false)
    }
}

/// The files that it uses, directly or not.
fn reach<'a>(
    uses: &'a BTreeMap<Module, BTreeMap<Module, String>>,
    from: &'a Module,
    hubs: &[Module],
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for used in uses[module].keys() {
            if !hubs.contains(used) && reached.insert(used) {
                next.push(used);
            }
        }
    }
    reached
}

fn file_of(folder: &Path, module: &[String]) -> Option<PathBuf> {
    let place = folder.join(module.join("/"));
    let names = [place.with_extension("rs"), place.join("mod.rs")];
    names.into_iter().find(|path| path.exists())
}
