//! The arguments of the attributes.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprArray, ExprLit, Lit, LitBool, LitInt, LitStr, Path, Result, Token};

pub(crate) const BACKENDS: [&str; 4] = ["tokio", "smol", "async-std", "glommio"];
const KNOWN: &str = "`flavor`, `worker_threads`, `start_paused`, `name`, `backend`, `timeout_secs` and `crate`, and \
     for simulations `sim`, `seeds`, `check` and `time_limit`";

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
    pub(crate) sim: Option<Span>,
    pub(crate) seeds: Option<LitInt>,
    pub(crate) check: Option<LitInt>,
    /// In nanoseconds.
    pub(crate) time_limit: Option<(u64, Span)>,
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
        if name == "sim" && !input.peek(Token![=]) {
            return set(&mut self.sim, name.span(), "sim", name.span());
        }
        if !input.peek(Token![=]) {
            return Err(match name.to_string().as_str() {
                "multi_thread" | "current_thread" | "local" => {
                    Error::new(name.span(), format!("write `flavor = \"{name}\"`"))
                }
                "flavor" | "worker_threads" | "start_paused" | "name" | "backend"
                | "timeout_secs" | "seeds" | "check" | "time_limit" => Error::new(
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
            "sim" => Err(Error::new(span, "`sim` has no value")),
            "seeds" => set(&mut self.seeds, positive(&value)?, "seeds", span),
            "check" => set(&mut self.check, at_least_two(&value)?, "check", span),
            "time_limit" => set(
                &mut self.time_limit,
                (duration(&value)?, span),
                "time_limit",
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

fn at_least_two(value: &Expr) -> Result<LitInt> {
    let number = positive(value)?;
    match number.base10_parse::<u32>() {
        Ok(2..=16) => Ok(number),
        _ => Err(Error::new(
            value.span(),
            "expected how many executions are compared: 2 to 16",
        )),
    }
}

/// A duration such as `"10m"`, in nanoseconds.
fn duration(value: &Expr) -> Result<u64> {
    const EXPECTED: &str = "a duration such as \"10m\", in ms, s, m or h";
    let text = string(value, EXPECTED)?;
    let words = text.value();
    let at = words.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = words.split_at(at.unwrap_or(words.len()));
    let nanos: u64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => 0,
    };
    let product = number.parse().ok().and_then(|n: u64| n.checked_mul(nanos));
    product
        .filter(|nanos| *nanos > 0)
        .ok_or_else(|| Error::new(text.span(), format!("expected {EXPECTED}")))
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
        let args: Args = syn::parse_str("sim, seeds = 7, check = 2, time_limit = \"10m\"").unwrap();
        assert!(args.sim.is_some() && args.seeds.is_some() && args.check.is_some());
        assert_eq!(
            args.time_limit.map(|(nanos, _)| nanos),
            Some(600_000_000_000)
        );
        let args: Args = syn::parse_str(
            "flavor = \"multi_thread\", worker_threads = 4, backend = [\"tokio\", \"async-std\"], \
             timeout_secs = 5, crate = \"a::b\", start_paused = true, name = \"n\",",
        )
        .unwrap();
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
            ("sim = true", "has no value"),
            ("sim, sim", "more than once"),
            ("sim, seeds = 0", "at least 1"),
            ("sim, seeds", "needs a value"),
            ("sim, check = 1", "2 to 16"),
            ("sim, time_limit = 10", "such as \"10m\""),
            ("sim, time_limit = \"10\"", "such as \"10m\""),
            ("sim, time_limit = \"0s\"", "such as \"10m\""),
            ("sim, time_limit = \"ten m\"", "such as \"10m\""),
            ("sim, time_limit = \"99999999999h\"", "such as \"10m\""),
        ] {
            let error = error(arguments);
            assert!(error.contains(remedy), "{arguments}: {error}");
        }
    }
}
