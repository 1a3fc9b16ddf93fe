//! What the attributes make of a function.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Ident, ItemFn, Path, Result};

use crate::args::{Args, BACKENDS, Flavor};

const TIMEOUT_SECS: u64 = 60;

/// What both attributes ask of the function.
pub(crate) fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new(
            signature.fn_token.span,
            "the function must be `async`",
        ));
    }
    if !signature.inputs.is_empty() {
        return Err(Error::new(
            signature.inputs.span(),
            "the function cannot take arguments",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "the function cannot be generic",
        ));
    }
    Ok(())
}

pub(crate) fn main(args: Args, function: ItemFn) -> Result<TokenStream> {
    if let Some(timeout) = &args.timeout_secs {
        return Err(Error::new(
            timeout.span(),
            "`timeout_secs` is an argument of `test` only",
        ));
    }
    let anyrt = anyrt(&args);
    let flavor = args
        .flavor
        .unwrap_or((Flavor::MultiThread, Span::call_site()));
    let new = match flavor.0 {
        Flavor::CurrentThread => format_ident!("new_current_thread"),
        Flavor::MultiThread => format_ident!("new_multi_thread"),
    };
    let worker_threads = worker_threads(&args, flavor.0)?;
    let worker_threads = worker_threads.map(|number| quote!(.worker_threads(#number)));
    let backend = match &args.backends {
        None => None,
        Some((names, span)) => match names[..] {
            [name] => Some(quote! {
                .backend(match <#anyrt::runtime::Backend as ::core::str::FromStr>::from_str(#name) {
                    ::core::result::Result::Ok(backend) => backend,
                    ::core::result::Result::Err(error) => ::core::panic!("{error}"),
                })
            }),
            _ => return Err(Error::new(*span, "a program has one backend")),
        },
    };
    let ItemFn {
        attrs,
        vis,
        sig: body,
        block,
    } = function;
    let mut sig = body.clone();
    sig.asyncness = None;
    let name = &sig.ident;
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            // A function of its own, so that what is wrong in it is reported there.
            #body #block

            match #anyrt::runtime::Builder::#new() #worker_threads #backend .build() {
                ::core::result::Result::Ok(runtime) => runtime.block_on(#name()),
                ::core::result::Result::Err(error) => {
                    ::core::panic!("could not start the runtime: {error}")
                }
            }
        }
    })
}

pub(crate) fn test(args: Args, function: ItemFn) -> Result<TokenStream> {
    let anyrt = anyrt(&args);
    let flavor = args
        .flavor
        .map_or(Flavor::CurrentThread, |(flavor, _)| flavor);
    let worker_threads = match worker_threads(&args, flavor)? {
        Some(number) => quote!(::core::option::Option::Some(#number)),
        None => quote!(::core::option::Option::None),
    };
    let multi_thread = flavor == Flavor::MultiThread;
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
                        multi_thread: #multi_thread,
                        worker_threads: #worker_threads,
                        timeout_secs: #timeout_secs,
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
            #(#cases)*
        }
    })
}

/// Whether the attribute is one for the test harness.
fn is_of_test(attr: &Attribute) -> bool {
    attr.path().is_ident("ignore") || attr.path().is_ident("should_panic")
}

fn if_enabled(backend: &str) -> Ident {
    format_ident!("__if_{}", backend.replace('-', "_"))
}

fn ident(backend: &str, span: Span) -> Ident {
    Ident::new(&backend.replace('-', "_"), span)
}

fn worker_threads(args: &Args, flavor: Flavor) -> Result<Option<usize>> {
    match &args.worker_threads {
        Some(number) if flavor == Flavor::CurrentThread => Err(Error::new(
            number.span(),
            "`worker_threads` needs `flavor = \"multi_thread\"`",
        )),
        Some(number) => number.base10_parse().map(Some),
        None => Ok(None),
    }
}

/// The path of the crate anyrt, whatever the user's `Cargo.toml` calls it.
fn anyrt(args: &Args) -> Path {
    if let Some(path) = &args.krate {
        return path.clone();
    }
    let name = match crate_name("anyrt") {
        Ok(FoundCrate::Name(name)) => name,
        // Tests and examples of anyrt itself, or a crate that has it through another one and may say `crate = …`.
        Ok(FoundCrate::Itself) | Err(_) => "anyrt".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    syn::parse_quote!(::#name)
}
