//! The expansion of the attributes.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Attribute, Error, Ident, ItemFn, LitBool, Path, Result, ReturnType, Type, TypeImplTrait,
};

use crate::args::{Args, BACKENDS, Flavor};

const TIMEOUT_SECS: u64 = 60;

/// Checks the requirements of both attributes.
fn check(function: &ItemFn) -> Result<()> {
    if function.sig.asyncness.is_none() {
        return Err(Error::new(
            function.sig.fn_token.span,
            "the `async` keyword is missing from the function declaration",
        ));
    }
    Ok(())
}

pub(crate) fn main(args: Args, function: ItemFn) -> Result<TokenStream> {
    check(&function)?;
    let inputs = &function.sig.inputs;
    if function.sig.ident == "main" && !inputs.is_empty() {
        return Err(Error::new(
            inputs.span(),
            "the main function cannot accept arguments",
        ));
    }
    if let Some(timeout) = &args.timeout_secs {
        return Err(Error::new(
            timeout.span(),
            "`timeout_secs` is an argument of `test` only",
        ));
    }
    no_simulation(&args)?;
    let anyrt = anyrt(&args);
    let flavor = args
        .flavor
        .map_or(Flavor::MultiThread, |(flavor, _)| flavor);
    let (new, build) = match flavor {
        Flavor::CurrentThread => (quote!(new_current_thread), quote!(build())),
        Flavor::MultiThread => (quote!(new_multi_thread), quote!(build())),
        Flavor::Local => (
            quote!(new_current_thread),
            quote!(build_local(::core::default::Default::default())),
        ),
    };
    let worker_threads =
        worker_threads(&args, flavor)?.map(|number| quote!(builder.worker_threads(#number);));
    let start_paused = start_paused(&args, flavor)?
        .map(|paused| quote_spanned!(paused.span()=> #anyrt::__start_paused!(builder, #paused);));
    let name = args.name.map(|name| quote!(builder.name(#name);));
    let backend = match &args.backends {
        None => None,
        Some((names, span)) => match names[..] {
            [name] => {
                let enabled = if_enabled(name);
                let why = format!("the feature `{name}` of anyrt is not enabled");
                Some(quote_spanned! {*span=>
                    #anyrt::#enabled! { {} { ::core::compile_error!(#why); } }
                    builder.backend(match <#anyrt::runtime::Backend as ::core::str::FromStr>::from_str(#name) {
                        ::core::result::Result::Ok(backend) => backend,
                        ::core::result::Result::Err(error) => ::core::panic!("{error}"),
                    });
                })
            }
            _ => return Err(Error::new(*span, "a program has one backend")),
        },
    };
    let ItemFn {
        attrs,
        vis,
        mut sig,
        block,
        ..
    } = function;
    sig.asyncness = None;
    // The span where the compiler reports that the last expression does not have the return type.
    let end = block.stmts.last().map_or(Span::call_site(), Spanned::span);
    let typed = match &sig.output {
        ReturnType::Default => Some(quote!(())),
        ReturnType::Type(_, output) if can_be_named(output) => Some(quote!(#output)),
        ReturnType::Type(..) => None,
    };
    // Never run: it makes the compiler check the types in the body, where the mistake is.
    let typed = typed.map(|output| {
        quote! {
            if false {
                let _: &dyn ::core::future::Future<Output = #output> = &body;
            }
        }
    });
    let run = quote_spanned! {end=>
        #[allow(
            unreachable_code,
            clippy::needless_return,
            clippy::diverging_sub_expression,
            reason = "of every function"
        )]
        {
            return match runtime {
                ::core::result::Result::Ok(runtime) => runtime.block_on(body),
                ::core::result::Result::Err(error) => {
                    ::core::panic!("could not start the runtime: {error}")
                }
            };
        }
    };
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            #anyrt::__need_backend! {}
            let body = async #block;
            #typed
            let runtime = {
                #[allow(unused_mut, reason = "only where it has options")]
                let mut builder = #anyrt::runtime::Builder::#new();
                #worker_threads
                #start_paused
                #name
                #backend
                builder.enable_all().#build
            };
            #run
        }
    })
}

/// Returns `true` if a `let` may name the type: neither `!` nor a type that contains `impl Trait`.
fn can_be_named(output: &Type) -> bool {
    struct Unnamed(bool);

    impl<'a> Visit<'a> for Unnamed {
        fn visit_type_impl_trait(&mut self, _: &'a TypeImplTrait) {
            self.0 = true;
        }
    }

    let mut unnamed = Unnamed(matches!(output, Type::Never(_)));
    unnamed.visit_type(output);
    !unnamed.0
}

pub(crate) fn test(args: Args, function: ItemFn) -> Result<TokenStream> {
    check(&function)?;
    let signature = &function.sig;
    if !signature.inputs.is_empty() {
        return Err(Error::new(
            signature.inputs.span(),
            "the test function cannot accept arguments",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "the test function cannot be generic",
        ));
    }
    if let Some(second) = function.attrs.iter().find(|attr| is_test(attr)) {
        return Err(Error::new(
            second.span(),
            "second test attribute is supplied, consider removing or changing the order of your test attributes",
        ));
    }
    if args.sim.is_some() {
        return simulation(args, &function);
    }
    no_simulation(&args)?;
    let anyrt = anyrt(&args);
    let flavor = args
        .flavor
        .map_or(Flavor::CurrentThread, |(flavor, _)| flavor);
    let worker_threads =
        worker_threads(&args, flavor)?.map(|number| quote!(builder.worker_threads(#number);));
    let paused = start_paused(&args, flavor)?;
    let start_paused = paused
        .map(|paused| quote_spanned!(paused.span()=> #anyrt::__start_paused!(builder, #paused);));
    let runtime_name = args.name.as_ref().map(|name| quote!(builder.name(#name);));
    let flavor = match flavor {
        Flavor::CurrentThread => quote!(CurrentThread),
        Flavor::MultiThread => quote!(MultiThread),
        Flavor::Local => quote!(Local),
    };
    let timeout_secs = match &args.timeout_secs {
        Some(number) => quote!(#number),
        None => quote!(#TIMEOUT_SECS),
    };
    let name = &function.sig.ident;
    let (of_tests, of_function): (Vec<_>, Vec<_>) =
        function.attrs.iter().partition(|attr| is_of_test(attr));
    let conditions: Vec<_> = function
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .collect();

    let case = |backend: &str, ignore: Option<String>| {
        let function = ident(backend, name.span());
        let ignore = ignore.map(|reason| quote!(#[ignore = #reason]));
        quote! {
            #[::core::prelude::v1::test]
            #(#of_tests)*
            #ignore
            fn #function() {
                #anyrt::__private::run_test(
                    #anyrt::__private::Options {
                        name: ::core::module_path!(),
                        backend: #backend,
                        flavor: #anyrt::__private::Flavor::#flavor,
                        timeout_secs: #timeout_secs,
                    },
                    #[allow(unused_variables, reason = "only where the runtime has options")]
                    |builder: &mut #anyrt::runtime::Builder| {
                        #worker_threads
                        #start_paused
                        #runtime_name
                    },
                    super::#name,
                )
            }
        }
    };
    let cases: Vec<_> = match &args.backends {
        None => BACKENDS
            .iter()
            .map(|backend| {
                let (enabled, on) = (if_enabled(backend), case(backend, None));
                quote!(#anyrt::#enabled! { { #on } {} })
            })
            .chain({
                let none = case("none", Some("no backend of anyrt is enabled".to_owned()));
                [quote!(#anyrt::__if_any! { {} { #none } })]
            })
            .collect(),
        Some((names, _)) => names
            .iter()
            .map(|backend| {
                let enabled = if_enabled(backend);
                let on = case(backend, None);
                let reason = format!("the feature `{backend}` of anyrt is not enabled");
                let off = case(backend, Some(reason));
                quote!(#anyrt::#enabled! { { #on } { #off } })
            })
            .collect(),
    };
    // A path given by the user is resolved where the function is.
    let scope = args.krate.is_some().then(|| {
        quote! {
            #[allow(unused_imports, reason = "the path may be one that holds everywhere")]
            use super::*;
        }
    });
    let ItemFn {
        vis, sig, block, ..
    } = &function;
    Ok(quote! {
        #[cfg(test)]
        #(#of_function)*
        #vis #sig #block

        #[cfg(test)]
        #(#conditions)*
        mod #name {
            #scope
            #(#cases)*
        }
    })
}

/// How many seeds a simulation has, and how much real time, unless set.
const SEEDS: u64 = 100;
const SIMULATION_TIMEOUT_SECS: u64 = 300;

/// Refuses what only simulations have.
fn no_simulation(args: &Args) -> Result<()> {
    let spans = [
        ("sim", args.sim),
        ("seeds", args.seeds.as_ref().map(Spanned::span)),
        ("check", args.check.as_ref().map(Spanned::span)),
        ("time_limit", args.time_limit.map(|(_, span)| span)),
    ];
    match spans
        .into_iter()
        .find_map(|(name, span)| Some((name, span?)))
    {
        Some((name, span)) => Err(Error::new(
            span,
            format!("`{name}` is for simulations: `#[anyrt::test(sim, ...)]`"),
        )),
        None => Ok(()),
    }
}

/// A test that is a simulation.
fn simulation(args: Args, function: &ItemFn) -> Result<TokenStream> {
    let spans = [
        ("flavor", args.flavor.map(|(_, span)| span)),
        (
            "worker_threads",
            args.worker_threads.as_ref().map(Spanned::span),
        ),
        (
            "start_paused",
            args.start_paused.as_ref().map(Spanned::span),
        ),
        ("name", args.name.as_ref().map(Spanned::span)),
        ("backend", args.backends.as_ref().map(|(_, span)| *span)),
    ];
    if let Some((name, span)) = spans
        .into_iter()
        .find_map(|(name, span)| Some((name, span?)))
    {
        return Err(Error::new(
            span,
            format!("a simulation has no `{name}`: all runs on one thread, in virtual time"),
        ));
    }
    let anyrt = anyrt(&args);
    let name = &function.sig.ident;
    let (of_tests, of_function): (Vec<_>, Vec<_>) =
        function.attrs.iter().partition(|attr| is_of_test(attr));
    let conditions = function
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"));
    let seeds = args.seeds.map_or(quote!(#SEEDS), |seeds| quote!(#seeds));
    let check = args.check.map_or(quote!(0), |check| quote!(#check));
    let time_limit = match args.time_limit {
        Some((nanos, _)) => quote!(::core::option::Option::Some(
            ::core::time::Duration::from_nanos(#nanos)
        )),
        None => quote!(::core::option::Option::None),
    };
    let timeout = match &args.timeout_secs {
        Some(number) => quote!(#number),
        None => quote!(#SIMULATION_TIMEOUT_SECS),
    };
    let scope = args.krate.is_some().then(|| {
        quote! {
            #[allow(unused_imports, reason = "the path may be one that holds everywhere")]
            use super::*;
        }
    });
    let ItemFn {
        vis, sig, block, ..
    } = function;
    Ok(quote! {
        #[cfg(test)]
        #[allow(dead_code, reason = "without the feature `sim` of anyrt the test is ignored")]
        #(#of_function)*
        #vis #sig #block

        #[cfg(test)]
        #(#conditions)*
        mod #name {
            #scope
            #anyrt::__if_sim! {
                {
                    #[::core::prelude::v1::test]
                    #(#of_tests)*
                    fn sim() {
                        #anyrt::__private::simulate(
                            #anyrt::__private::Simulation {
                                name: ::core::concat!(::core::module_path!(), "::sim"),
                                package: ::core::option_env!("CARGO_PKG_NAME"),
                                seeds: #seeds,
                                check: #check,
                                time_limit: #time_limit,
                                timeout: ::core::time::Duration::from_secs(#timeout),
                            },
                            super::#name,
                        )
                    }
                }
                {
                    #[::core::prelude::v1::test]
                    #[ignore = "the feature `sim` of anyrt is not enabled"]
                    fn sim() {}
                }
            }
        }
    })
}

/// Returns `true` if the attribute is one for the test harness.
fn is_of_test(attr: &Attribute) -> bool {
    attr.path().is_ident("ignore") || attr.path().is_ident("should_panic")
}

/// Returns `true` if it is `#[test]`, under any path.
fn is_test(attr: &Attribute) -> bool {
    attr.meta.require_path_only().is_ok_and(|path| {
        path.is_ident("test")
            || path.segments.len() == 4
                && path.segments[1].ident == "prelude"
                && path.segments[3].ident == "test"
    })
}

fn if_enabled(backend: &str) -> Ident {
    format_ident!("__if_{}", backend.replace('-', "_"))
}

fn ident(backend: &str, span: Span) -> Ident {
    Ident::new(&backend.replace('-', "_"), span)
}

fn worker_threads(args: &Args, flavor: Flavor) -> Result<Option<usize>> {
    match &args.worker_threads {
        Some(number) if flavor != Flavor::MultiThread => Err(Error::new(
            number.span(),
            "`worker_threads` needs `flavor = \"multi_thread\"`",
        )),
        Some(number) => number.base10_parse().map(Some),
        None => Ok(None),
    }
}

fn start_paused(args: &Args, flavor: Flavor) -> Result<Option<&LitBool>> {
    match &args.start_paused {
        Some(paused) if flavor == Flavor::MultiThread => Err(Error::new(
            paused.span(),
            "`start_paused` needs `flavor = \"current_thread\"`",
        )),
        paused => Ok(paused.as_ref()),
    }
}

/// Returns the path of the crate anyrt under its name in the user's `Cargo.toml`. Through `[patch]`
/// that is `tokio`.
fn anyrt(args: &Args) -> Path {
    if let Some(path) = &args.krate {
        return path.clone();
    }
    let name = match crate_name("anyrt").or_else(|_| crate_name("tokio")) {
        Ok(FoundCrate::Name(name)) => name,
        // Tests and examples of anyrt itself, or a crate with an indirect dependency, which can use
        // `crate = …`.
        Ok(FoundCrate::Itself) | Err(_) => "anyrt".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    syn::parse_quote!(::#name)
}
