//! Finds the lines of a manifest that depend on Tokio.

use toml_edit::{DocumentMut, Item, TableLike};

/// The runtimes, as the feature names of anyrt.
pub(crate) const BACKENDS: [&str; 4] = ["tokio", "smol", "async-std", "glommio"];

/// The tables of a manifest that contain dependencies, and their kinds.
const SECTIONS: [&str; 5] = [
    "dependencies",
    "dev-dependencies",
    "build-dependencies",
    "dev_dependencies",
    "build_dependencies",
];

/// The place of a dependency: the keys that lead to it.
pub(crate) type Place = Vec<String>;

/// Returns the places of all dependencies on one of these packages, under any name.
pub(crate) fn dependencies_on(document: &DocumentMut, packages: &[&str]) -> Vec<Place> {
    let mut places = Vec::new();
    for place in sections(document) {
        let section = get(document.as_item(), &place).and_then(Item::as_table_like);
        for (key, item) in section.into_iter().flat_map(TableLike::iter) {
            if packages.contains(&package(key, item)) {
                let mut place = place.clone();
                place.push(key.to_owned());
                places.push(place);
            }
        }
    }
    places
}

fn sections(document: &DocumentMut) -> Vec<Place> {
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Place>();
    let mut places: Vec<_> = SECTIONS.iter().map(|name| owned(&[name])).collect();
    places.push(owned(&["workspace", "dependencies"]));
    let targets = document.get("target").and_then(Item::as_table_like);
    for (target, _) in targets.into_iter().flat_map(TableLike::iter) {
        places.extend(SECTIONS.iter().map(|name| owned(&["target", target, name])));
    }
    places
}

/// Returns the package that a dependency line names.
fn package<'a>(key: &'a str, item: &'a Item) -> &'a str {
    string(item, "package").unwrap_or(key)
}

/// Returns `true` if a line inherits from the workspace.
pub(crate) fn is_inherited(item: &Item) -> bool {
    let value = item
        .as_table_like()
        .and_then(|table| table.get("workspace"));
    value.and_then(Item::as_bool) == Some(true)
}

/// A value of a dependency line that is a string.
pub(crate) fn string<'a>(item: &'a Item, key: &str) -> Option<&'a str> {
    item.as_table_like()?.get(key)?.as_str()
}

/// Returns the version requirement of a line.
pub(crate) fn version(item: &Item) -> Option<&str> {
    item.as_str().or_else(|| string(item, "version"))
}

/// Returns the features of a line.
pub(crate) fn features(item: &Item) -> Vec<String> {
    let features = item.as_table_like().and_then(|table| table.get("features"));
    let features = features.and_then(Item::as_array);
    let names = features.into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

pub(crate) fn get<'a>(item: &'a Item, place: &[String]) -> Option<&'a Item> {
    let mut keys = place.iter();
    keys.try_fold(item, |item, key| item.as_table_like()?.get(key))
}

pub(crate) fn get_mut<'a>(item: &'a mut Item, place: &[String]) -> Option<&'a mut Item> {
    let mut keys = place.iter();
    keys.try_fold(item, |item, key| item.as_table_like_mut()?.get_mut(key))
}

/// Returns the resolver version of a workspace, from its root manifest.
pub(crate) fn resolver(root: &DocumentMut) -> u8 {
    let of = |table: &str| string(root.get(table)?, "resolver")?.parse().ok();
    of("workspace")
        .or_else(|| of("package"))
        .unwrap_or_else(|| {
            let edition = root.get("package").and_then(|package| {
                let inherited = || {
                    let keys = ["workspace", "package", "edition"].map(str::to_owned);
                    get(root.as_item(), &keys)?.as_str()
                };
                string(package, "edition").or_else(inherited)
            });
            match edition {
                Some("2021") => 2,
                None | Some("2015" | "2018") => 1,
                Some(_) => 3,
            }
        })
}

/// A dependency line as it would be written, for messages.
pub(crate) fn shown(place: &[String], item: &Item) -> String {
    let section = &place[..place.len() - 1];
    let key = &place[place.len() - 1];
    let value = match item {
        Item::Value(value) => value.clone().decorated("", "").to_string(),
        Item::Table(table) => table.clone().into_inline_table().to_string(),
        other => other.to_string(),
    };
    let line = format!("[{}] {key} = {}", section.join("."), value.trim());
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{dependencies_on, resolver};

    #[test]
    fn every_section_and_every_name_is_found() {
        let text = r#"
            [dependencies]
            tokio = "1"
            tokio-util = "0.7"
            [dev-dependencies]
            rt = { package = "tokio", version = "1" }
            [build-dependencies.tokio]
            version = "1"
            [target.'cfg(unix)'.dependencies]
            tokio.workspace = true
            [workspace.dependencies]
            tokio = { version = "1" }
            other = { package = "not-tokio", version = "1" }
        "#;
        let places = dependencies_on(&text.parse().unwrap(), &["tokio"]);
        let places: Vec<_> = places.iter().map(|place| place.join("/")).collect();
        assert_eq!(
            places,
            [
                "dependencies/tokio",
                "dev-dependencies/rt",
                "build-dependencies/tokio",
                "workspace/dependencies/tokio",
                "target/cfg(unix)/dependencies/tokio",
            ]
        );
    }

    #[test]
    fn the_resolver_follows_the_edition_of_the_root() {
        let of = |text: &str| resolver(&text.parse().unwrap());
        assert_eq!(of("[workspace]\nmembers = []"), 1);
        assert_eq!(of("[workspace]\nresolver = \"2\""), 2);
        assert_eq!(of("[package]\nedition = \"2018\""), 1);
        assert_eq!(of("[package]\nname = \"a\""), 1);
        assert_eq!(of("[package]\nedition = \"2021\""), 2);
        assert_eq!(
            of("[workspace.package]\nedition = \"2024\"\n[package]\nedition.workspace = true"),
            3
        );
    }
}
