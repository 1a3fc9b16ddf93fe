//! What the files of a crate define, and which files each of them uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module that has a file of its own, as a path from the root of the crate.
pub(crate) type Module = Vec<String>;

/// The files of one crate.
pub(crate) struct Source {
    files: BTreeMap<Module, File>,
}

#[derive(Default)]
struct File {
    /// The paths that it mentions, other than in re-exports.
    mentions: Vec<Vec<String>>,
    /// The names that it imports, private or not, and their paths.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    items: BTreeSet<String>,
    types: Vec<Type>,
}

/// A struct, enum, union or trait.
#[derive(Debug, Clone)]
pub(crate) struct Type {
    pub(crate) name: String,
    /// It, or a module around it, exists under a condition only.
    pub(crate) is_conditional: bool,
}

impl Source {
    /// Reads the crate with this `lib.rs`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut source = Self {
            files: BTreeMap::new(),
        };
        source.add(root, Vec::new(), false);
        source
    }

    fn add(&mut self, path: &Path, module: Module, is_conditional: bool) {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut reader = Reader {
            file: File::default(),
            inline: 0,
            is_conditional,
            is_in_body: false,
            modules: Vec::new(),
        };
        reader.visit_file(&syntax);
        self.files.insert(module.clone(), reader.file);
        let folder = match path.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "main.rs" | "mod.rs") => path.parent().map(Path::to_owned),
            _ => Some(path.with_extension("")),
        };
        let folder = folder.expect("a file is in a folder");
        for (name, is_conditional) in reader.modules {
            let Some(path) = file_of(&folder, &name) else {
                continue;
            };
            let mut module = module.clone();
            module.push(name);
            self.add(&path, module, is_conditional);
        }
    }

    /// The types of each file.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&Module, &Type)> {
        let files = self.files.iter();
        files.flat_map(|(module, file)| file.types.iter().map(move |item| (module, item)))
    }

    /// Files that use each other in a circle, without what uses one of `hubs`.
    pub(crate) fn circles(&self, hubs: &[Module]) -> Vec<BTreeSet<Module>> {
        let files = self.files.keys();
        let reaches: BTreeMap<&Module, BTreeSet<Module>> = files
            .map(|module| (module, self.reach(module, hubs)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, reached) in &reaches {
            let circle = reached
                .iter()
                .filter(|other| reaches[*other].contains(*module));
            let circle: BTreeSet<_> = circle.cloned().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// The files that it uses, directly or not.
    fn reach(&self, from: &Module, hubs: &[Module]) -> BTreeSet<Module> {
        let mut reached = BTreeSet::new();
        let mut next = vec![from.clone()];
        while let Some(module) = next.pop() {
            for used in self.uses(&module) {
                if !hubs.contains(&used) && reached.insert(used.clone()) {
                    next.push(used);
                }
            }
        }
        reached
    }

    fn uses(&self, module: &Module) -> BTreeSet<Module> {
        let mentions = self.files[module].mentions.iter();
        mentions
            .filter_map(|path| self.resolve(module, path, 0))
            .filter(|used| used != module)
            .collect()
    }

    /// The file that defines what `path` names in `module`; `None` if that is another crate.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut at, mut rest) = self.start(module, path)?;
        while let [first, others @ ..] = rest {
            let mut inner = at.clone();
            inner.push(first.clone());
            if !self.files.contains_key(&inner) {
                break;
            }
            (at, rest) = (inner, others);
        }
        let [name, others @ ..] = rest else {
            return Some(at);
        };
        let file = &self.files[&at];
        if file.items.contains(name) || depth > 8 {
            return Some(at);
        }
        if let Some(import) = file.imports.get(name) {
            let path = [import, others].concat();
            if let Some(found) = self.resolve(&at, &path, depth + 1) {
                return Some(found);
            }
        }
        for glob in &file.globs {
            let path = [&glob[..], std::slice::from_ref(name)].concat();
            if let Some(found) = self.resolve(&at, &path, depth + 1)
                && self.files[&found].items.contains(name)
            {
                return Some(found);
            }
        }
        Some(at)
    }

    fn start<'a>(&self, module: &Module, path: &'a [String]) -> Option<(Module, &'a [String])> {
        match path.first()?.as_str() {
            "crate" => Some((Vec::new(), &path[1..])),
            "self" => Some((module.clone(), &path[1..])),
            "super" => {
                let above = path.iter().take_while(|part| *part == "super").count();
                let depth = module.len().checked_sub(above)?;
                Some((module[..depth].to_vec(), &path[above..]))
            }
            name => {
                let child = [&module[..], &[name.to_owned()]].concat();
                self.files
                    .contains_key(&child)
                    .then(|| (module.clone(), path))
            }
        }
    }
}

fn file_of(folder: &Path, module: &str) -> Option<PathBuf> {
    let names = [format!("{module}.rs"), format!("{module}/mod.rs")];
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}

struct Reader {
    file: File,
    /// How many modules within the file are around.
    inline: usize,
    is_conditional: bool,
    /// Within a function, whose types nobody else can name.
    is_in_body: bool,
    /// Modules with files of their own.
    modules: Vec<(String, bool)>,
}

impl Reader {
    fn add_type(&mut self, name: String, attributes: &[Attribute]) {
        if self.is_in_body {
            return;
        }
        self.file.items.insert(name.clone());
        self.file.types.push(Type {
            name,
            is_conditional: self.is_conditional || has_condition(attributes),
        });
    }

    /// Makes a path within a module of the file one of the file.
    fn seen_from_file(&self, mut path: Vec<String>) -> Vec<String> {
        let above = path.iter().take_while(|part| *part == "super").count();
        let within = above.min(self.inline);
        if within > 0 {
            path.drain(..within);
            if above == within {
                path.insert(0, "self".to_owned());
            }
        }
        path
    }

    fn mention(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            let path = self.seen_from_file(path);
            self.file.mentions.push(path);
        }
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, is_public: bool) {
        let (name, last) = match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                return self.import(&inner.tree, path, is_public);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_public);
                }
                return;
            }
            UseTree::Glob(_) => {
                let path = self.seen_from_file(path);
                return self.file.globs.push(path);
            }
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(name) => (name.rename.to_string(), name.ident.to_string()),
        };
        let module = path.last().cloned();
        if last != "self" {
            path.push(last);
        }
        let name = if name == "self" {
            module.unwrap_or(name)
        } else {
            name
        };
        let path = self.seen_from_file(path);
        if !is_public {
            self.file.mentions.push(path.clone());
        }
        self.file.imports.insert(name, path);
    }

    /// Paths and types in the input of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut keyword = None;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if colons != 2 {
                        self.mention_local(std::mem::take(&mut path));
                    }
                    if keyword.take().is_some() {
                        self.add_type(name.clone(), &[]);
                    }
                    let declares = ["struct", "enum", "union", "trait"];
                    keyword = declares.contains(&name.as_str()).then_some(());
                    path.push(name);
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.mention_local(std::mem::take(&mut path));
                    self.read_tokens(group.stream());
                }
                _ => {
                    self.mention_local(std::mem::take(&mut path));
                    (colons, keyword) = (0, None);
                }
            }
        }
        self.mention_local(path);
    }

    fn mention_local(&mut self, path: Vec<String>) {
        if matches!(
            path.first().map(String::as_str),
            Some("crate" | "super" | "self")
        ) {
            self.mention(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Struct(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Enum(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Union(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Trait(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Fn(item) => _ = self.file.items.insert(item.sig.ident.to_string()),
            Item::Const(item) => _ = self.file.items.insert(item.ident.to_string()),
            Item::Static(item) => _ = self.file.items.insert(item.ident.to_string()),
            Item::Type(item) => _ = self.file.items.insert(item.ident.to_string()),
            // A macro's own definition is no use of what it names: its callers use that.
            Item::Macro(item) if item.ident.is_some() => {
                let name = item.ident.as_ref().map(ToString::to_string);
                return self.file.items.extend(name);
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        let outer = self.is_conditional;
        self.is_conditional |= has_condition(&item.attrs);
        if item.content.is_some() {
            self.inline += 1;
            visit::visit_item_mod(self, item);
            self.inline -= 1;
        } else {
            self.modules
                .push((item.ident.to_string(), self.is_conditional));
        }
        self.is_conditional = outer;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, Vec::new(), is_public);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let outer = std::mem::replace(&mut self.is_in_body, true);
        visit::visit_block(self, block);
        self.is_in_body = outer;
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts = path.segments.iter();
        self.mention_local(parts.map(|part| part.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        visit::visit_macro(self, call);
        self.read_tokens(call.tokens.clone());
    }
}

fn has_condition(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg"))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.path().is_ident("cfg").then_some(&attribute.meta);
        condition
            .and_then(|meta| meta.require_list().ok())
            .is_some_and(|list| list.tokens.to_string().contains("test"))
    })
}
