//! The arguments of the attributes.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprArray, ExprLit, Lit, LitBool, LitInt, LitStr, Path, Result, Token};

pub(crate) const BACKENDS: [&str; 4] = ["tokio", "smol", "async-std", "glommio"];
const KNOWN: &str =
    "`flavor`, `worker_threads`, `start_paused`, `name`, `backend`, `timeout_secs` and `crate`";

/// The value of an argument and its span.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) flavor: Option<(Flavor, Span)>,
    pub(crate) worker_threads: Option<LitInt>,
    pub(crate) start_paused: Option<LitBool>,
    pub(crate) name: Option<LitStr>,
    pub(crate) backends: Option<(Vec<&'static str>, Span)>,
    pub(crate) timeout_secs: Option<LitInt>,
    pub(crate) krate: Option<Path>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
    Local,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() {
            args.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(args)
    }
}

impl Args {
    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Token![crate]) {
            let name = input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            let path = if input.peek(LitStr) {
                input.parse::<LitStr>()?.parse()?
            } else {
                input.parse()?
            };
            return set(&mut self.krate, path, "crate", name.span());
        }
        let path: Path = input.parse()?;
        let Some(name) = path.get_ident() else {
            return Err(unknown(&path));
        };
        if !input.peek(Token![=]) {
            return Err(match name.to_string().as_str() {
                "multi_thread" | "current_thread" | "local" => {
                    Error::new(name.span(), format!("write `flavor = \"{name}\"`"))
                }
                "flavor" | "worker_threads" | "start_paused" | "name" | "backend"
                | "timeout_secs" => Error::new(
                    name.span(),
                    format!("`{name}` needs a value: `{name} = ...`"),
                ),
                _ => unknown(&path),
            });
        }
        let (text, span) = (name.to_string(), name.span());
        input.parse::<Token![=]>()?;
        let value: Expr = input.parse()?;
        match text.as_str() {
            "flavor" => set(&mut self.flavor, flavor(&value)?, "flavor", span),
            "worker_threads" => set(
                &mut self.worker_threads,
                positive(&value)?,
                "worker_threads",
                span,
            ),
            "timeout_secs" => set(
                &mut self.timeout_secs,
                positive(&value)?,
                "timeout_secs",
                span,
            ),
            "backend" => set(&mut self.backends, backends(&value)?, "backend", span),
            "start_paused" => set(
                &mut self.start_paused,
                boolean(&value)?,
                "start_paused",
                span,
            ),
            "name" => {
                let name = string(&value, "the name of the runtime")?;
                set(&mut self.name, name, "name", span)
            }
            "unhandled_panic" => Err(Error::new(
                span,
                "`unhandled_panic` is unstable in Tokio, and not every runtime can shut down on a panic; await the \
                 task's handle and look at its `JoinError`",
            )),
            "core_threads" => Err(Error::new(
                span,
                "`core_threads` is called `worker_threads`",
            )),
            _ => Err(unknown(&path)),
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: T, name: &str, span: Span) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(Error::new(span, format!("`{name}` is set more than once")));
    }
    Ok(())
}

fn unknown(path: &Path) -> Error {
    Error::new(
        path.span(),
        format!("unknown argument; the arguments are {KNOWN}"),
    )
}

fn string(value: &Expr, expected: &str) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(Error::new(value.span(), format!("expected {expected}"))),
    }
}

fn flavor(value: &Expr) -> Result<(Flavor, Span)> {
    const EXPECTED: &str = "\"multi_thread\", \"current_thread\" or \"local\"";
    let text = string(value, EXPECTED)?;
    let flavor = match text.value().as_str() {
        "multi_thread" => Flavor::MultiThread,
        "current_thread" => Flavor::CurrentThread,
        "local" => Flavor::Local,
        _ => return Err(Error::new(text.span(), format!("expected {EXPECTED}"))),
    };
    Ok((flavor, text.span()))
}

fn boolean(value: &Expr) -> Result<LitBool> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(value),
            ..
        }) => Ok(value.clone()),
        _ => Err(Error::new(value.span(), "expected `true` or `false`")),
    }
}

fn positive(value: &Expr) -> Result<LitInt> {
    const EXPECTED: &str = "expected a whole number of at least 1";
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) if number.base10_parse::<u64>().is_ok_and(|n| n > 0) => Ok(number.clone()),
        _ => Err(Error::new(value.span(), EXPECTED)),
    }
}

fn backends(value: &Expr) -> Result<(Vec<&'static str>, Span)> {
    let expected = format!("the name of a backend: {}", BACKENDS.join(", "));
    let one = |value: &Expr| {
        let text = string(value, &expected)?;
        let known = BACKENDS.into_iter().find(|name| *name == text.value());
        known.ok_or_else(|| Error::new(text.span(), format!("expected {expected}")))
    };
    let names = match value {
        Expr::Array(ExprArray { elems, .. }) => {
            elems.iter().map(one).collect::<Result<Vec<_>>>()?
        }
        value => vec![one(value)?],
    };
    if names.is_empty() {
        return Err(Error::new(value.span(), format!("expected {expected}")));
    }
    Ok((names, value.span()))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn error(arguments: &str) -> String {
        match syn::parse_str::<Args>(arguments) {
            Ok(_) => panic!("`{arguments}` should be an error"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn arguments_are_understood() {
        let args: Args = syn::parse_str(
            "flavor = \"multi_thread\", worker_threads = 4, backend = [\"tokio\", \"async-std\"], \
             timeout_secs = 5, crate = \"a::b\", start_paused = true, name = \"n\",",
        )
        .unwrap();
        assert!(args.flavor.is_some() && args.krate.is_some());
        assert_eq!(args.backends.unwrap().0, ["tokio", "async-std"]);
        assert!(syn::parse_str::<Args>("").unwrap().flavor.is_none());
        assert!(
            syn::parse_str::<Args>("crate = a::b")
                .unwrap()
                .krate
                .is_some()
        );
    }

    #[test]
    fn mistakes_are_told_with_the_remedy() {
        for (arguments, remedy) in [
            ("flavour = \"multi_thread\"", "the arguments are"),
            ("multi_thread", "write `flavor = \"multi_thread\"`"),
            ("flavor = \"threads\"", "expected \"multi_thread\""),
            ("flavor = 4", "expected \"multi_thread\""),
            ("worker_threads = 0", "at least 1"),
            ("worker_threads = \"4\"", "at least 1"),
            ("timeout_secs = -1", "at least 1"),
            (
                "backend = \"tokyo\"",
                "expected the name of a backend: tokio",
            ),
            ("backend = []", "expected the name of a backend"),
            ("backend = [\"smol\", 1]", "expected the name of a backend"),
            ("start_paused = 1", "expected `true`"),
            ("start_paused", "needs a value"),
            ("name = 7", "expected the name"),
            ("unhandled_panic = \"ignore\"", "unstable in Tokio"),
            ("core_threads = 4", "is called `worker_threads`"),
            ("timeout_secs = 1, timeout_secs = 2", "more than once"),
        ] {
            let error = error(arguments);
            assert!(error.contains(remedy), "{arguments}: {error}");
        }
    }
}
