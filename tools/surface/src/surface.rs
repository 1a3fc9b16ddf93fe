//! The API of a crate: every public item by its path, and its contents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::documented::{Documented, World};
use crate::render;

const AUTO: [&str; 5] = ["Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe"];

/// A public item.
#[derive(Debug, Default)]
pub struct Item {
    /// `struct`, `function`, …
    pub kind: String,
    /// Functions, variants, fields, constants and traits (as `impl Trait`), with the signature if
    /// there is one.
    pub members: BTreeMap<String, Option<String>>,
    /// The automatic traits of a type, with their conditions.
    pub auto: BTreeMap<&'static str, String>,
    /// The signature of a function.
    pub signature: Option<String>,
}

/// The public items of a crate by path, without the crate's name.
pub struct Surface(pub BTreeMap<String, Item>);

impl Surface {
    pub fn of(world: &World, documented: &Documented) -> Self {
        let mut walk = Walk {
            world,
            items: BTreeMap::new(),
        };
        walk.module(documented, &documented.root(), "");
        Self(walk.items)
    }
}

struct Walk<'a> {
    world: &'a World,
    items: BTreeMap<String, Item>,
}

impl<'a> Walk<'a> {
    fn module(&mut self, documented: &'a Documented, id: &str, path: &str) {
        let Some(module) = documented.item(id) else {
            return;
        };
        for id in ids(&module["inner"]["module"]["items"]) {
            let Some(item) = documented.item(&id) else {
                continue;
            };
            if item["visibility"] != "public" {
                continue;
            }
            let name = item["name"].as_str().unwrap_or_default();
            match item["inner"].get("use") {
                Some(import) => self.import(documented, import, path),
                None => self.item(documented, &id, &join(path, name)),
            }
        }
    }

    fn import(&mut self, documented: &'a Documented, import: &Value, path: &str) {
        let id = import["id"].to_string();
        let name = import["name"].as_str().unwrap_or_default();
        match self.find(documented, id) {
            Some((documented, id)) if import["is_glob"] == true => {
                self.module(documented, &id, path)
            }
            Some((documented, id)) => self.item(documented, &id, &join(path, name)),
            // Items of the standard library are the same for both.
            None => {
                let item = Item {
                    kind: "reexport".into(),
                    ..Item::default()
                };
                self.items.insert(join(path, name), item);
            }
        }
    }

    fn item(&mut self, documented: &'a Documented, id: &str, path: &str) {
        let Some(item) = documented.item(id) else {
            return;
        };
        let Some((kind, inner)) = item["inner"]
            .as_object()
            .and_then(|inner| inner.iter().next())
        else {
            return;
        };
        if kind == "module" {
            self.module(documented, id, path);
            return;
        }
        let entry = self.items.entry(path.to_owned()).or_default();
        // The same name may be a type and a function.
        if entry.kind.is_empty() || kind != "function" {
            entry.kind.clone_from(kind);
        }
        match kind.as_str() {
            "function" => entry.signature = Some(render::signature(inner, None)),
            "proc_macro" => entry.kind = "macro".into(),
            "type_alias" => self.alias(documented, inner, path),
            "trait" => members(documented, &inner["items"], entry),
            "enum" => {
                members(documented, &inner["variants"], entry);
                impls(documented, inner, entry);
            }
            "struct" => {
                members(documented, &inner["kind"]["plain"]["fields"], entry);
                impls(documented, inner, entry);
            }
            _ => {}
        }
    }

    /// Returns the item with that id, in any crate.
    fn find(&self, documented: &'a Documented, id: String) -> Option<(&'a Documented, String)> {
        if documented.item(&id).is_some() {
            return Some((documented, id));
        }
        let (documented, id) = self.world.find(&documented.path(&id)?)?;
        Some((documented, id.to_owned()))
    }

    /// Adds the contents of the type behind an alias, if it is known.
    fn alias(&mut self, documented: &'a Documented, alias: &Value, path: &str) {
        let target = alias["type"]["resolved_path"]["id"].to_string();
        if let Some((documented, id)) = self.find(documented, target) {
            self.item(documented, &id, path);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}::{name}")
    }
}

fn ids(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(Value::to_string).collect()
}

fn members(documented: &Documented, all: &Value, entry: &mut Item) {
    for id in ids(all) {
        let Some(item) = documented.item(&id) else {
            continue;
        };
        // Items of a trait and variants have no visibility.
        if item["visibility"] == "public" || item["visibility"] == "default" {
            let name = item["name"].as_str().unwrap_or_default();
            let function = item["inner"].get("function");
            let signature = function.map(|function| render::signature(function, None));
            entry.members.insert(name.to_owned(), signature);
        }
    }
}

fn impls(documented: &Documented, type_: &Value, entry: &mut Item) {
    for id in ids(&type_["impls"]) {
        let Some(item) = documented.item(&id) else {
            continue;
        };
        let inner = &item["inner"]["impl"];
        if !inner["blanket_impl"].is_null() {
            continue;
        }
        if inner["trait"].is_null() {
            inherent(documented, inner, entry);
            continue;
        }
        let name = render::path(&inner["trait"]);
        if let Some(auto) = AUTO.into_iter().find(|auto| *auto == name) {
            let condition = match inner["is_negative"] == true {
                true => "no".to_owned(),
                false => condition(&inner["generics"]),
            };
            entry.auto.insert(auto, condition);
        } else if inner["is_synthetic"] != true && name != "Drop" && !name.starts_with("Structural")
        {
            // The impl for a reference is a different one.
            let of = inner["for"].get("borrowed_ref").map_or("", |_| " for &");
            entry.members.insert(format!("impl {name}{of}"), None);
        }
    }
}

fn inherent(documented: &Documented, inner: &Value, entry: &mut Item) {
    for id in ids(&inner["items"]) {
        let Some(item) = documented.item(&id) else {
            continue;
        };
        if item["visibility"] == "public" {
            let name = item["name"].as_str().unwrap_or_default();
            let function = item["inner"].get("function");
            let signature = function.map(|function| render::signature(function, Some(inner)));
            entry.members.insert(name.to_owned(), signature);
        }
    }
}

/// Returns the condition on which an automatic trait is implemented.
fn condition(generics: &Value) -> String {
    let names = render::parameters(generics);
    let requirements = render::requirements(generics).into_iter();
    let all: BTreeSet<_> = requirements
        .filter(|one| !one.ends_with("?Sized") && !one.ends_with("'static"))
        .map(|one| render::renamed(&one, &names))
        .collect();
    match all.is_empty() {
        true => "yes".to_owned(),
        false => format!("if {}", all.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
