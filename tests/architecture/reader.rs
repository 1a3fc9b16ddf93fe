//! Reads one file: what each of its modules defines, imports and mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprLit, Item, ItemMacro, ItemMod, ItemUse, Lit, Meta, UseTree, Visibility,
};

use crate::source::{Declared, Module, Scope, Type};

pub(crate) struct Reader {
    module: Module,
    scope: Scope,
    /// The modules within the file that are complete.
    complete: BTreeMap<Module, Scope>,
    declared: Vec<Declared>,
    is_conditional: bool,
    /// Within a function, whose types nobody else can name.
    is_in_body: bool,
}

impl Reader {
    /// Returns the modules of a file, and those with files of their own that it declares.
    pub(crate) fn read(
        file: &syn::File,
        module: Module,
        is_conditional: bool,
    ) -> (BTreeMap<Module, Scope>, Vec<Declared>) {
        let mut reader = Self {
            scope: Scope {
                file: module.clone(),
                ..Scope::default()
            },
            module,
            complete: BTreeMap::new(),
            declared: Vec::new(),
            is_conditional,
            is_in_body: false,
        };
        reader.visit_file(file);
        reader.complete.insert(reader.module, reader.scope);
        (reader.complete, reader.declared)
    }

    fn add_type(&mut self, name: String, attributes: &[Attribute]) {
        if self.is_in_body {
            return;
        }
        self.scope.items.insert(name.clone());
        self.scope.types.push(Type {
            name,
            is_conditional: self.is_conditional || has_condition(attributes),
        });
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
                if !is_public {
                    self.scope.mentions.insert(path.clone());
                }
                return self.scope.globs.push(path);
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
        if !is_public {
            self.scope.mentions.insert(path.clone());
        }
        self.scope.imports.insert(name, path);
    }

    fn mention(&mut self, path: Vec<String>) {
        // A keyword alone is no item: it is a visibility, or what a macro prints.
        if path.iter().any(|part| !is_keyword(part)) {
            self.scope.mentions.insert(path);
        }
    }

    /// A macro's definition is no use of what it names: its callers use that.
    fn define(&mut self, name: String, tokens: TokenStream) {
        let outer = mem::take(&mut self.scope);
        self.read_tokens(tokens);
        let inner = mem::replace(&mut self.scope, outer);
        let paths = inner.mentions.into_iter();
        let definition = self.scope.macros.entry(name.clone()).or_default();
        // Where other paths lead depends on the caller.
        definition
            .paths
            .extend(paths.filter(|path| path[0] == "crate"));
        definition.calls.extend(inner.calls);
        self.scope.items.insert(name);
    }

    /// Paths and types in the input of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        // After a dot comes a field or a method, after a quote a lifetime.
        let mut is_a_path = true;
        let mut declares = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if colons != 2 || path.is_empty() {
                        self.mention(mem::take(&mut path));
                    }
                    if colons > 1 && path.is_empty() {
                        path.push(OTHER_CRATE.to_owned());
                    }
                    colons = 0;
                    if mem::take(&mut declares) {
                        self.add_type(name.clone(), &[]);
                    }
                    declares = ["struct", "enum", "union", "trait"].contains(&name.as_str());
                    if mem::replace(&mut is_a_path, true) {
                        path.push(name);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) if punct.as_char() == '!' => {
                    self.scope.calls.extend(path.last().cloned());
                    self.mention(mem::take(&mut path));
                    (colons, declares, is_a_path) = (0, false, true);
                }
                TokenTree::Group(group) => {
                    self.mention(mem::take(&mut path));
                    self.read_tokens(group.stream());
                    (colons, declares, is_a_path) = (0, false, true);
                }
                token => {
                    self.mention(mem::take(&mut path));
                    (colons, declares) = (0, false);
                    is_a_path = !matches!(
                        token, TokenTree::Punct(punct) if ['.', '\''].contains(&punct.as_char())
                    );
                }
            }
        }
        self.mention(path);
    }
}

/// Begins a path that begins with colons.
const OTHER_CRATE: &str = "::";

fn is_keyword(part: &str) -> bool {
    ["crate", "self", "super"].contains(&part)
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Struct(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Enum(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Union(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Trait(item) => self.add_type(item.ident.to_string(), &item.attrs),
            Item::Fn(item) if is_for_tests(&item.attrs) => return,
            Item::Impl(item) if is_for_tests(&item.attrs) => return,
            Item::Use(item) if is_for_tests(&item.attrs) => return,
            Item::Fn(item) => _ = self.scope.items.insert(item.sig.ident.to_string()),
            Item::Const(item) => _ = self.scope.items.insert(item.ident.to_string()),
            Item::Static(item) => _ = self.scope.items.insert(item.ident.to_string()),
            Item::Type(item) => _ = self.scope.items.insert(item.ident.to_string()),
            Item::Macro(ItemMacro {
                ident: Some(name),
                mac,
                ..
            }) => return self.define(name.to_string(), mac.tokens.clone()),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let is_for_tests = is_for_tests(&item.attrs);
        if is_for_tests && item.content.is_some() {
            return;
        }
        let outer = self.is_conditional;
        self.is_conditional |= has_condition(&item.attrs);
        self.module.push(item.ident.to_string());
        if item.content.is_some() {
            let inner = Scope {
                file: self.scope.file.clone(),
                ..Scope::default()
            };
            let outer = mem::replace(&mut self.scope, inner);
            visit::visit_item_mod(self, item);
            let inner = mem::replace(&mut self.scope, outer);
            self.complete.insert(self.module.clone(), inner);
        } else {
            self.declared.push(Declared {
                module: self.module.clone(),
                path: path_of(&item.attrs),
                is_conditional: self.is_conditional,
                is_for_tests,
            });
        }
        self.module.pop();
        self.is_conditional = outer;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        let other = item.leading_colon.map(|_| OTHER_CRATE.to_owned());
        self.import(&item.tree, other.into_iter().collect(), is_public);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let outer = mem::replace(&mut self.is_in_body, true);
        visit::visit_block(self, block);
        self.is_in_body = outer;
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let other = path.leading_colon.map(|_| OTHER_CRATE.to_owned());
        let parts = path.segments.iter().map(|part| part.ident.to_string());
        self.mention(other.into_iter().chain(parts).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last();
        self.scope
            .calls
            .extend(name.map(|name| name.ident.to_string()));
        visit::visit_macro(self, call);
        self.read_tokens(call.tokens.clone());
    }
}

fn has_condition(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg"))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<Meta>()
                .is_ok_and(|meta| needs_test(&meta))
    })
}

/// Whether the condition is never true outside of tests.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let parse = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
    let inner = list.parse_args_with(parse);
    let mut inner = inner.iter().flatten();
    match list.path.get_ident().map(ToString::to_string).as_deref() {
        Some("all") => inner.any(needs_test),
        Some("any") => inner.all(needs_test),
        _ => false,
    }
}

/// The value of an attribute `path`.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|a| a.path().is_ident("path"))?;
    match &attribute.meta.require_name_value().ok()?.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(path),
            ..
        }) => Some(path.value()),
        _ => None,
    }
}

/// The features that the conditions in a file name, in macros, too.
pub(crate) fn features(tokens: TokenStream) -> BTreeSet<String> {
    let mut features = BTreeSet::new();
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        match (token, &tokens[index + 1..]) {
            (TokenTree::Group(group), _) => features.append(&mut self::features(group.stream())),
            (TokenTree::Ident(key), [TokenTree::Punct(_), TokenTree::Literal(value), ..])
                if key == "feature" =>
            {
                features.insert(value.to_string().trim_matches('"').to_owned());
            }
            _ => {}
        }
    }
    features
}
