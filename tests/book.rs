//! The book: both languages have the same pages, and every include and link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LANGUAGES: [&str; 2] = ["en", "zh"];

fn docs(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(language)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of the pages, without the table of contents.
fn pages(language: &str) -> BTreeSet<String> {
    fs::read_dir(docs(language))
        .expect("the book is there")
        .map(|entry| entry.expect("an entry").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect()
}

/// A part of a page that both languages must have, in the same order.
#[derive(Debug, PartialEq)]
enum Part {
    /// A heading, by its level.
    Heading(usize),
    /// A code block, with its fences.
    Code(String),
    /// A block of text, by its number of lines, because it is translated.
    Text(usize),
    /// A row of a table, by its number of columns.
    Row(usize),
    /// An item of a list.
    Item,
    /// An include outside of code. A picture has a file per language.
    Include(String),
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if line.starts_with("```") {
            let mut code = line.to_owned();
            for line in lines.by_ref() {
                code = code + "\n" + line;
                if line == "```" {
                    break;
                }
            }
            parts.push(match line {
                "```text" => Part::Text(code.lines().count()),
                _ => Part::Code(code),
            });
        } else if level > 0 {
            parts.push(Part::Heading(level));
        } else if line.starts_with('|') {
            parts.push(Part::Row(line.matches('|').count()));
        } else if line.starts_with("- ") || is_numbered(line) {
            parts.push(Part::Item);
        } else if line.starts_with("{{#include") {
            parts.push(Part::Include(line.replace(".zh.svg", ".svg")));
        }
    }
    parts
}

fn is_numbered(line: &str) -> bool {
    line.split_once(". ")
        .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// Returns the text between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| rest.split_once(close).map(|(inner, _)| inner))
}

/// Returns the text without its code blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Returns the name by which mdBook links to a heading.
fn fragment(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

#[test]
fn both_languages_have_the_same_pages() {
    assert_eq!(pages("en"), pages("zh"));
    for language in LANGUAGES {
        let summary = read(&docs(language).join("SUMMARY.md"));
        let listed: BTreeSet<String> = between(&summary, "](", ")").map(str::to_owned).collect();
        assert_eq!(listed, pages(language), "docs/{language}/SUMMARY.md");
    }
}

#[test]
fn both_languages_have_the_same_headings_code_and_tables() {
    for page in pages("en").iter().map(String::as_str).chain(["SUMMARY.md"]) {
        let [english, chinese] = LANGUAGES.map(|language| parts(&read(&docs(language).join(page))));
        for (number, (english, chinese)) in english.iter().zip(&chinese).enumerate() {
            assert_eq!(english, chinese, "{page}, part {number}");
        }
        assert_eq!(english.len(), chinese.len(), "{page}");
    }
}

#[test]
fn every_include_is_there() {
    let mut seen = 0;
    for language in LANGUAGES {
        for page in pages(language) {
            let text = read(&docs(language).join(&page));
            for include in between(&text, "{{#include ", "}}") {
                // A picture is included as a whole.
                let (file, anchor) = match include.split_once(':') {
                    Some((file, anchor)) => (file, Some(anchor)),
                    None => (include, None),
                };
                let included = read(&docs(language).join(file));
                let lines = |marker: &str, anchor: &str| {
                    let marker = format!("{marker}: {anchor}");
                    included
                        .lines()
                        .filter(|line| {
                            let comment = line.trim_matches(['/', '#', '<', '!', '-', '>', ' ']);
                            comment == marker
                        })
                        .count()
                };
                let found = anchor.is_none_or(|anchor| {
                    (lines("ANCHOR", anchor), lines("ANCHOR_END", anchor)) == (1, 1)
                });
                assert!(found, "docs/{language}/{page}: {include}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen} includes");
}

#[test]
fn every_picture_is_shown_in_its_language() {
    let pictures = docs("pictures");
    for (language, end) in [("en", ".svg"), ("zh", ".zh.svg")] {
        let pages: String = pages(language)
            .iter()
            .map(|page| read(&docs(language).join(page)))
            .collect();
        let shown: BTreeSet<String> = between(&pages, "{{#include ../pictures/", "}}")
            .map(str::to_owned)
            .collect();
        let drawn: BTreeSet<String> = fs::read_dir(&pictures)
            .expect("the pictures are there")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "dot"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned() + end))
            .collect();
        assert_eq!(shown, drawn, "docs/{language}");
        assert!(drawn.iter().all(|name| pictures.join(name).is_file()));
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut seen = 0;
    for language in LANGUAGES {
        for page in pages(language) {
            let text = read(&docs(language).join(&page));
            for link in between(&prose(&text), "](", ")") {
                if link.contains("://") {
                    continue;
                }
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let file = if file.is_empty() { page.as_str() } else { file };
                let target = read(&docs(language).join(file));
                let known = heading.is_empty()
                    || prose(&target)
                        .lines()
                        .any(|line| line.starts_with('#') && fragment(line) == heading);
                assert!(known, "docs/{language}/{page}: {link}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen} links");
}

#[test]
fn every_recipe_is_in_the_cookbook() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cookbook/src");
    for language in LANGUAGES {
        let page = read(&docs(language).join("cookbook.md"));
        let told: BTreeSet<&str> = page
            .lines()
            .filter_map(|l| l.strip_prefix("### "))
            .collect();
        let recipes: BTreeSet<String> = fs::read_dir(&sources)
            .expect("the cookbook is there")
            .map(|entry| entry.expect("an entry").path())
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| name != "main")
            .collect();
        assert_eq!(told, recipes.iter().map(String::as_str).collect());
    }
}
