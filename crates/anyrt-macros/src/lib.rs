//! The attribute macros of anyrt. Use them through the crate `anyrt`, as `#[anyrt::main]` and `#[anyrt::test]`.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::ToTokens;

mod args;
mod entry;

/// Makes an `async fn main` the `main` of a program, and any other `async fn` one that starts a runtime for itself.
///
/// The function gives what it gave; unless it is `main`, it takes what it took.
///
/// # Arguments
/// - `flavor = "multi_thread"` (the default), `"current_thread"`, or `"local"` for a `LocalRuntime`
/// - `worker_threads = 4`: how many worker threads; one per core unless set
/// - `start_paused = true`: the clock stands still at first; needs another flavor and the feature `test-util`
/// - `name = "ingest"`: what `Handle::name` tells
/// - `backend = "smol"`: the runtime, whatever else is enabled; unless set, the one that `anyrt::runtime` tells
/// - `crate = "path::to::anyrt"`: only needed where the crate `anyrt` is not a direct dependency
///
/// ```ignore
/// #[anyrt::main(flavor = "multi_thread", worker_threads = 2)]
/// async fn main() -> std::io::Result<()> {
///     anyrt::spawn(async { println!("hello") }).await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Fails to compile if no backend is enabled, or not the one that `backend` names.
///
/// # Panics
/// The program panics when the runtime cannot be built.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args, item, entry::main)
}

/// Makes an `async fn` a test for each backend that is enabled.
///
/// A test `answers` becomes `answers::tokio`, `answers::smol`, and so on. Each has a thread and a runtime of its
/// own, and fails when it takes too long. The function may give `()`, an `ExitCode`, or a `Result` of one.
///
/// # Arguments
/// - `backend = "smol"` or `backend = ["tokio", "smol"]`: on these only; one that is not enabled is reported as
///   ignored
/// - `timeout_secs = 5`: how long the test may take; 60 seconds unless set
/// - `flavor = "current_thread"` (the default), `"multi_thread"`, or `"local"` for a `LocalRuntime`
/// - `worker_threads = 4`: how many worker threads; needs `flavor = "multi_thread"`
/// - `start_paused = true`: the clock stands still at first; needs another flavor and the feature `test-util`
/// - `name = "ingest"`: what `Handle::name` tells
/// - `crate = "path::to::anyrt"`: only needed where the crate `anyrt` is not a direct dependency
///
/// Other attributes, such as `#[ignore]` and `#[should_panic]`, go to every one of the tests.
///
/// ```ignore
/// #[anyrt::test(timeout_secs = 5)]
/// async fn answers() {
///     assert_eq!(anyrt::spawn(async { 42 }).await.unwrap(), 42);
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args, item, entry::test)
}

fn expand(
    args: TokenStream,
    item: TokenStream,
    entry: fn(args::Args, syn::ItemFn) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    let original = item.clone();
    let expanded =
        syn::parse::<syn::ItemFn>(item).and_then(|function| entry(syn::parse(args)?, function));
    match expanded {
        Ok(tokens) => tokens.into(),
        // The function stays, so that an editor still knows what is in it and there is one error, not many.
        Err(error) => {
            let mut tokens = error.into_compile_error();
            proc_macro2::TokenStream::from(original).to_tokens(&mut tokens);
            tokens.into()
        }
    }
}
