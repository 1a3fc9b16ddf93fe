//! The items of Tokio that anyrt lacks, or has in a different form.

use std::collections::BTreeMap;

use crate::reasons::Reasons;
use crate::surface::{Item, Surface};

/// The comparison of one item of Tokio.
pub struct Row {
    /// Its name in the module.
    pub name: String,
    /// The kind of item.
    pub kind: String,
    /// The number of things that Tokio has: the item itself, and its contents.
    pub total: usize,
    /// The paths of the missing ones.
    pub missing: Vec<String>,
    /// Different signatures: the path, Tokio's and anyrt's.
    pub signatures: Vec<(String, String, String)>,
    /// Different automatic traits: the path with the trait, Tokio's and anyrt's.
    pub auto: Vec<(String, String, String)>,
}

/// All comparisons by module.
pub struct Comparison(pub BTreeMap<String, Vec<Row>>);

impl Comparison {
    pub fn new(tokio: &Surface, ours: &Surface) -> Self {
        let mut modules = BTreeMap::<_, Vec<_>>::new();
        for (path, item) in &tokio.0 {
            let (module, name) = path.rsplit_once("::").unwrap_or(("", path));
            let row = row(path, name, item, ours.0.get(path));
            modules.entry(module.to_owned()).or_default().push(row);
        }
        Self(modules)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values().flatten()
    }

    /// The names under which `reasons.txt` may list what is missing or differs.
    fn gaps(&self) -> Vec<String> {
        self.rows().flat_map(Row::gaps).collect()
    }

    /// Differences without a reason, and unused reasons.
    pub fn complaints(&self, reasons: &Reasons) -> Vec<String> {
        let gaps = self.gaps();
        let unexplained = gaps.iter().filter(|gap| reasons.of(gap).is_none());
        let mut all: Vec<_> = unexplained
            .map(|gap| format!("no reason is given: {gap}"))
            .collect();
        let idle = reasons.idle(&gaps);
        all.extend(idle.map(|what| format!("a reason, but it is as in Tokio: {what}")));
        all
    }

    pub fn print_gaps(&self) {
        for (module, rows) in &self.0 {
            println!("\n== {}", if module.is_empty() { "tokio" } else { module });
            for row in rows {
                for path in &row.missing {
                    println!("missing    {path}");
                }
                for (path, tokio, ours) in &row.signatures {
                    println!("signature  {path}\n    tokio  {tokio}\n    ours   {ours}");
                }
                for (path, tokio, ours) in &row.auto {
                    println!("auto       {path}: tokio {tokio}; ours {ours}");
                }
            }
        }
        println!("\n{}", self.summary());
    }

    pub fn summary(&self) -> String {
        let total: usize = self.rows().map(|row| row.total).sum();
        let missing: usize = self.rows().map(|row| row.lost()).sum();
        let signatures: usize = self.rows().map(|row| row.signatures.len()).sum();
        let auto: usize = self.rows().map(|row| row.auto.len()).sum();
        format!(
            "{} of {total} provided; {signatures} signatures and {auto} automatic traits differ",
            total - missing
        )
    }
}

impl Row {
    /// Returns `true` if the item is missing as a whole.
    pub fn absent(&self) -> bool {
        self.missing.len() == 1 && self.missing[0].rsplit("::").next() == Some(&self.name)
    }

    /// Returns the number of missing items.
    pub fn lost(&self) -> usize {
        if self.absent() {
            self.total
        } else {
            self.missing.len()
        }
    }

    fn gaps(&self) -> Vec<String> {
        let mut all = self.missing.clone();
        let signatures = self.signatures.iter();
        all.extend(signatures.map(|(path, ..)| format!("signature {path}")));
        all.extend(self.auto.iter().map(|(path, ..)| format!("auto {path}")));
        all
    }
}

fn row(path: &str, name: &str, tokio: &Item, ours: Option<&Item>) -> Row {
    let mut row = Row {
        name: name.to_owned(),
        kind: tokio.kind.clone(),
        total: 1 + tokio.members.len(),
        missing: Vec::new(),
        signatures: Vec::new(),
        auto: Vec::new(),
    };
    let Some(ours) = ours else {
        row.missing.push(path.to_owned());
        return row;
    };
    let mut compare = |path: String, tokio: &Option<String>, ours: &Option<String>| {
        if let (Some(tokio), Some(ours)) = (tokio, ours)
            && tokio != ours
        {
            row.signatures.push((path, tokio.clone(), ours.clone()));
        }
    };
    compare(path.to_owned(), &tokio.signature, &ours.signature);
    for (member, signature) in &tokio.members {
        let path = format!("{path}::{member}");
        match ours.members.get(member) {
            Some(ours) => compare(path, signature, ours),
            None => row.missing.push(path),
        }
    }
    for (name, tokio) in &tokio.auto {
        let ours = ours.auto.get(name).map_or("unknown", String::as_str);
        if tokio != ours {
            let path = format!("{path} {name}");
            row.auto.push((path, tokio.clone(), ours.to_owned()));
        }
    }
    row
}
