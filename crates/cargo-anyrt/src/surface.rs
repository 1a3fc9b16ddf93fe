//! The items of Tokio that anyrt has, from the table in the documentation.

use std::collections::{BTreeMap, BTreeSet};

/// `docs/tokio-surface.md`, which `scripts/check surface` checks against both crates.
const TABLE: &str = include_str!("../tokio-surface.md");

/// The items of Tokio that anyrt has and lacks.
pub(crate) struct Surface {
    /// The modules, as `tokio::net`, and the names in them.
    modules: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Missing items by path, with the reasons.
    absent: BTreeMap<String, &'static str>,
    /// Missing methods: the names of the type and of the method, and the reason.
    methods: Vec<(&'static str, &'static str, &'static str)>,
}

impl Surface {
    pub(crate) fn new() -> Self {
        Self::read(TABLE)
    }

    fn read(table: &'static str) -> Self {
        let mut surface = Self {
            modules: BTreeMap::new(),
            absent: BTreeMap::new(),
            methods: Vec::new(),
        };
        let mut module = "";
        for line in table.lines() {
            if let Some(name) = line.strip_prefix("## `") {
                module = name.trim_end_matches('`');
                surface.modules.entry(module).or_default();
            } else if let Some(row) = line.strip_prefix("| `") {
                let mut cells = row.trim_end_matches(" |").splitn(4, " | ");
                let item = cells.next().unwrap_or_default().trim_end_matches('`');
                let provided = cells.nth(1).unwrap_or_default();
                let remark = cells.next().unwrap_or_default();
                if let Some(names) = surface.modules.get_mut(module) {
                    names.insert(item);
                }
                if provided == "no" {
                    surface.absent.insert(format!("{module}::{item}"), remark);
                }
                // Names in backticks up to the colon are what is not provided.
                let (names, reason) = remark.split_once(": ").unwrap_or((remark, ""));
                for name in names.split(", ") {
                    let name = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'));
                    let is_method = |name: &str| {
                        name.chars().all(|c| c == '_' || c.is_alphanumeric())
                            && name.starts_with(|c: char| c.is_lowercase())
                    };
                    if let Some(name) = name.filter(|name| provided != "no" && is_method(name)) {
                        surface.methods.push((item, name, reason));
                    }
                }
            }
        }
        surface
    }

    /// Returns the reason for a path that begins with `tokio`, if it names a missing item.
    pub(crate) fn lacks(&self, path: &[String]) -> Option<String> {
        // The deepest module that the path goes through, and the name in it.
        let (module, names) = (1..=path.len()).rev().find_map(|length| {
            self.modules
                .get_key_value(path[..length].join("::").as_str())
        })?;
        let depth = module.split("::").count();
        let name = path.get(depth)?;
        if name == "*" || name == "self" || name == "prelude" {
            return None;
        }
        let full = format!("{module}::{name}");
        if let Some(remark) = self.absent.get(&full) {
            return Some(format!("`{full}` is absent: {remark}"));
        }
        let is_module = self
            .modules
            .keys()
            .any(|known| *known == full || known.starts_with(&format!("{full}::")));
        (!is_module && !names.contains(name.as_str()) && !REEXPORTED.contains(&full.as_str())).then(
            || format!("`{full}` is absent: not in Tokio's stable surface, or for other systems"),
        )
    }

    /// Returns the missing methods.
    pub(crate) fn methods(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.methods.iter().copied()
    }
}

/// Items that the table does not list and that exist.
const REEXPORTED: [&str; 3] = ["tokio::stream", "tokio::macros", "tokio::doc"];

#[cfg(test)]
mod tests {
    use super::Surface;

    const TABLE: &str = "\
## `tokio`

| item | | provided | not, or otherwise |
|---|---|---|---|
| `spawn` | function | yes |  |

## `tokio::sync::mpsc`

| `Sender` | struct | 20 of 21 | `send_timeout`: it needs a timer |
| `Gone` | enum | no | see `send_timeout` |
| `Odd` | struct | all 3 | signature of `get`: another bound |
";

    #[test]
    fn what_is_absent_is_told_with_its_reason() {
        let surface = Surface::read(TABLE);
        let lacks = |path: &str| {
            let path: Vec<_> = path.split("::").map(str::to_owned).collect();
            surface.lacks(&path)
        };
        assert_eq!(lacks("tokio::spawn"), None);
        assert_eq!(lacks("tokio::sync"), None);
        assert_eq!(lacks("tokio::sync::mpsc::Sender::clone"), None);
        assert!(
            lacks("tokio::sync::mpsc::Gone")
                .unwrap()
                .contains("see `send_timeout`")
        );
        assert!(
            lacks("tokio::sync::mpsc::Other")
                .unwrap()
                .contains("absent")
        );
        let methods: Vec<_> = surface.methods().collect();
        assert_eq!(methods, [("Sender", "send_timeout", "it needs a timer")]);
    }

    #[test]
    fn the_shipped_table_is_read() {
        let surface = Surface::new();
        assert!(surface.modules.len() > 20);
        let path = ["tokio", "task", "no_such_thing"].map(str::to_owned);
        assert!(surface.lacks(&path).is_some());
    }
}
