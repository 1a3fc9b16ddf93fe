//! Tables inside the documents, between `<!-- name -->` and `<!-- /name -->`.

use std::io;

/// Replaces the text between the marks of `name` in a document of the repository.
pub(crate) fn replace(document: &str, name: &str, text: &str) -> io::Result<()> {
    let path = crate::places::workspace().join(document);
    let old = std::fs::read_to_string(&path)?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let new = old.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some(format!("{before}{begin}\n{text}\n{end}{after}"))
    });
    match new {
        Some(new) => std::fs::write(path, new),
        None => Err(io::Error::other(format!("{document} has no marks {name}"))),
    }
}
