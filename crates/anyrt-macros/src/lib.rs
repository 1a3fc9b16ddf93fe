//! The attribute macros of anyrt. Use them through the crate `anyrt`, as `#[anyrt::main]` and
//! `#[anyrt::test]`.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::ToTokens;

mod args;
mod entry;

/// Turns an `async fn main` into the `main` of a program, and any other `async fn` into a function
/// that starts its own runtime.
///
/// The return type is kept, and so are the arguments, except for `main`.
///
/// # Arguments
/// - `flavor = "multi_thread"` (the default), `"current_thread"`, or `"local"` for a `LocalRuntime`
/// - `worker_threads = 4`: the number of worker threads; one per core by default
/// - `start_paused = true`: the clock is paused at the start; needs another flavor than
///   `multi_thread` and the feature `test-util`
/// - `name = "ingest"`: the name of the runtime, which `Handle::name` returns
/// - `backend = "smol"`: the backend, regardless of which others are enabled; by default the one
///   that `anyrt::runtime` describes
/// - `crate = "path::to::anyrt"`: needed only if `anyrt` is not a direct dependency
///
/// # Examples
/// ```
/// #[anyrt::main(flavor = "multi_thread", worker_threads = 2)]
/// async fn main() -> std::io::Result<()> {
///     anyrt::spawn(async { println!("hello") }).await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Fails to compile if no backend is enabled, or if `backend` names one that is not.
///
/// # Panics
/// Panics if the runtime cannot be built.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args, item, entry::main)
}

/// Turns an `async fn` into a test for each enabled backend.
///
/// A test `answers` becomes `answers::tokio`, `answers::smol`, and so on. Each runs on its own
/// thread and runtime, and fails if it takes too long. The function may return `()`, an `ExitCode`,
/// or a `Result` of one.
///
/// # Arguments
/// - `backend = "smol"` or `backend = ["tokio", "smol"]`: on these backends only; one that is not
///   enabled is reported as ignored
/// - `timeout_secs = 5`: the time limit of the test; 60 seconds by default
/// - `flavor = "current_thread"` (the default), `"multi_thread"`, or `"local"` for a `LocalRuntime`
/// - `worker_threads = 4`: the number of worker threads; needs `flavor = "multi_thread"`
/// - `start_paused = true`: the clock is paused at the start; needs another flavor than
///   `multi_thread` and the feature `test-util`
/// - `name = "ingest"`: the name of the runtime, which `Handle::name` returns
/// - `crate = "path::to::anyrt"`: needed only if `anyrt` is not a direct dependency
///
/// # Simulations
/// With the argument `sim`, which needs the feature of that name, the test is a simulation instead,
/// `answers::sim`. For each seed the function runs on the node `test` of a new simulation. It adds
/// further nodes with `anyrt::sim::current().host(…)`; see `anyrt::sim`.
/// - `seeds = 500`: the number of seeds, from 0; 100 by default. `ANYRT_SIM_SEED=17` runs only that
///   one, `ANYRT_SIM_SEEDS=5000` or `ANYRT_SIM_SEEDS=5000..9000` runs more of them, on all cores
/// - `check = 2`: runs all seeds in two new processes and compares the hashes of the executions
/// - `time_limit = "10m"`: the limit of virtual time for each seed; a day by default
/// - `timeout_secs = 5`: the limit of real time for all seeds; 300 seconds by default
/// - `crate`: as above
///
/// A failure names the seed, the virtual time, the step, the place of the panic, the faults that
/// are needed, a trace file, and the command that replays it.
///
/// Other attributes, such as `#[ignore]` and `#[should_panic]`, apply to each of these tests.
///
/// # Examples
/// ```
/// #[anyrt::test(timeout_secs = 5)]
/// async fn answers() {
///     assert_eq!(anyrt::spawn(async { 42 }).await.unwrap(), 42);
/// }
///
/// #[anyrt::test(sim, seeds = 20)]
/// async fn waits_an_hour_of_virtual_time() {
///     anyrt::time::sleep(std::time::Duration::from_secs(3600)).await;
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
        // The function is kept, so that an editor can still analyse it and there is one error
        // rather than many.
        Err(error) => {
            let mut tokens = error.into_compile_error();
            proc_macro2::TokenStream::from(original).to_tokens(&mut tokens);
            tokens.into()
        }
    }
}
