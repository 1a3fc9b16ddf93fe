//! Types, bounds and signatures as text. Equal ones of two crates have equal texts.
//!
//! Paths are reduced to their last name, because the place of a definition does not matter here.

use std::collections::BTreeSet;

use serde_json::Value;

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn joined(words: impl Iterator<Item = String>, separator: &str) -> String {
    words.collect::<Vec<_>>().join(separator)
}

/// Renders a type. `Self` is the type of the impl.
pub fn type_(value: &Value) -> String {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return "_".into();
    };
    match kind.as_str() {
        "resolved_path" => path(inner),
        "generic" | "primitive" => inner.as_str().unwrap_or_default().to_owned(),
        "tuple" => {
            let parts = inner.as_array().into_iter().flatten().map(type_);
            format!("({})", joined(parts, ", "))
        }
        "slice" => format!("[{}]", type_(inner)),
        "array" => format!("[{}; {}]", type_(&inner["type"]), text(inner, "len")),
        "borrowed_ref" => {
            let mutable = if inner["is_mutable"] == true {
                "mut "
            } else {
                ""
            };
            format!("&{mutable}{}", type_(&inner["type"]))
        }
        "raw_pointer" => format!("*{}", type_(&inner["type"])),
        "impl_trait" => format!("impl {}", bounds(inner)),
        "dyn_trait" => {
            let traits = list(inner, "traits").map(|one| path(&one["trait"]));
            format!("dyn {}", joined(traits, " + "))
        }
        "qualified_path" => format!("{}::{}", type_(&inner["self_type"]), text(inner, "name")),
        "function_pointer" => {
            let inputs = list(&inner["sig"], "inputs").map(|input| type_(&input[1]));
            format!(
                "fn({}){}",
                joined(inputs, ", "),
                output(&inner["sig"]["output"])
            )
        }
        _ => inner.to_string(),
    }
}

/// Renders a type or trait by its last name, with its arguments and without lifetimes.
pub fn path(value: &Value) -> String {
    let path = text(value, "path");
    let name = match path.rsplit("::").next().unwrap_or(path) {
        // `task::Id` and `runtime::Id`; rustdoc has the names by which the core defines them.
        "TaskId" | "RuntimeId" => "Id",
        name => name,
    };
    let mut arguments = arguments(&value["args"]);
    if name == "Result" {
        // In the short form of `std::io::Result`.
        arguments = arguments.replace(", Error>", ">");
    }
    format!("{name}{arguments}")
}

fn arguments(value: &Value) -> String {
    if let Some(angle) = value.get("angle_bracketed") {
        let types = list(angle, "args").filter_map(|arg| arg.get("type").map(type_));
        let constants = list(angle, "args")
            .filter_map(|arg| arg.get("const").map(|value| text(value, "expr").to_owned()));
        let bound = list(angle, "constraints").map(|one| {
            let binding = &one["binding"];
            match binding.get("equality").and_then(|equal| equal.get("type")) {
                Some(equal) => format!("{} = {}", text(one, "name"), type_(equal)),
                None => format!("{}: {}", text(one, "name"), bounds(&binding["constraint"])),
            }
        });
        let all: Vec<_> = types.chain(constants).chain(bound).collect();
        if !all.is_empty() {
            return format!("<{}>", all.join(", "));
        }
    }
    if let Some(round) = value.get("parenthesized") {
        let inputs = list(round, "inputs").map(type_);
        return format!("({}){}", joined(inputs, ", "), output(&round["output"]));
    }
    String::new()
}

fn output(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        format!(" -> {}", type_(value))
    }
}

fn bounds(value: &Value) -> String {
    let all: BTreeSet<_> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(bound)
        .collect();
    joined(all.into_iter(), " + ")
}

fn bound(value: &Value) -> Option<String> {
    if let Some(outlives) = value.get("outlives") {
        return (outlives == "'static").then(|| "'static".into());
    }
    let bound = value.get("trait_bound")?;
    let maybe = if bound["modifier"] == "maybe" {
        "?"
    } else {
        ""
    };
    Some(format!("{maybe}{}", path(&bound["trait"])))
}

/// Renders the bounds of an item, one text for each parameter or type.
pub fn requirements(generics: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |of: &str, bounds: &Value| {
        for bound in bounds.as_array().into_iter().flatten().filter_map(bound) {
            all.insert(format!("{of}: {bound}"));
        }
    };
    for parameter in
        list(generics, "params").filter(|one| one["kind"]["type"]["is_synthetic"] != true)
    {
        add(
            text(parameter, "name"),
            &parameter["kind"]["type"]["bounds"],
        );
    }
    for predicate in list(generics, "where_predicates") {
        if let Some(bound) = predicate.get("bound_predicate") {
            add(&type_(&bound["type"]), &bound["bounds"]);
        }
    }
    all
}

/// Renders the signature of a function.
///
/// `async fn f() -> T` and `fn f() -> impl Future<Output = T>` are called in the same way and count
/// as equal. So do signatures that differ only in the names of parameters, or in `Self` instead of
/// its type.
pub fn signature(function: &Value, impl_: Option<&Value>) -> String {
    let inputs = list(&function["sig"], "inputs").map(|input| type_(&input[1]));
    let header = &function["header"];
    let mut returned = &function["sig"]["output"];
    let mut asynchronous = header["is_async"] == true;
    if let Some(value) = future(returned) {
        asynchronous = true;
        returned = value;
    }
    let mut text = String::new();
    for (is, word) in [
        (asynchronous, "async "),
        (header["is_unsafe"] == true, "unsafe "),
    ] {
        if is {
            text += word;
        }
    }
    text += &format!("fn({}){}", joined(inputs, ", "), output(returned));
    let mut names = parameters(&function["generics"]);
    let mut asked = requirements(&function["generics"]);
    if let Some(impl_) = impl_ {
        names.push(("Self".into(), type_(&impl_["for"])));
        asked.extend(requirements(&impl_["generics"]));
    }
    if !asked.is_empty() {
        text += &format!(" where {}", joined(asked.into_iter(), ", "));
    }
    let text = renamed(&text, &names);
    let Some(impl_) = impl_ else {
        return text;
    };
    let outer = parameters(&impl_["generics"]).into_iter();
    let outer: Vec<_> = outer
        .map(|(name, place)| (name, format!("Of{place}")))
        .collect();
    renamed(&text, &outer)
}

/// The type parameters and their canonical names, by position.
pub fn parameters(generics: &Value) -> Vec<(String, String)> {
    list(generics, "params")
        .filter(|one| {
            one["kind"]
                .get("type")
                .is_some_and(|kind| kind["is_synthetic"] != true)
        })
        .enumerate()
        .map(|(place, one)| (text(one, "name").to_owned(), format!("T{place}")))
        .collect()
}

/// Replaces whole words in the text.
pub fn renamed(text: &str, names: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        out += &rest[..start];
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let word = &rest[..end];
        let name = names.iter().find(|(name, _)| name == word);
        out += name.map_or(word, |(_, name)| name);
        rest = &rest[end..];
    }
    out + rest
}

/// Returns the output of `impl Future<Output = T>`.
fn future(output: &Value) -> Option<&Value> {
    list(output, "impl_trait").find_map(|bound| {
        let path = &bound["trait_bound"]["trait"];
        let is_future = text(path, "path").ends_with("Future");
        let constraint = list(&path["args"]["angle_bracketed"], "constraints").next();
        constraint
            .filter(|_| is_future)
            .and_then(|one| one["binding"]["equality"].get("type"))
    })
}
