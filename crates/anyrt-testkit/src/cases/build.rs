//! The builder: an option is honoured, or `build` fails and names it.

use std::thread;

use anyrt_core::error::BuildError;
use anyrt_core::runtime::{Builder, Flavor, Owner};
use anyrt_core::{Blocking, Spawner};

use crate::case::cases;
use crate::{Backend, park_on};

cases! {
    fn zero_workers_are_an_error_that_names_the_option;
    fn zero_blocking_threads_are_an_error_that_names_the_option;
    fn a_thread_name_with_a_nul_is_an_error_that_names_the_option;
    fn an_invalid_option_is_not_forgotten_when_another_is_set;
    fn a_current_thread_runtime_with_four_workers_is_an_error;
    fn one_worker_is_enough;
    fn more_workers_than_cores_are_fine;
    fn the_thread_name_is_that_of_workers_and_blocking_threads;
    fn the_stack_size_is_that_of_workers_and_blocking_threads;
    fn pinned_workers_stay_on_one_core;
    fn the_handle_and_the_owner_can_be_printed;
    fn a_builder_builds_more_than_once;
}

/// Returns the option that the error names.
fn option<O: Owner>(result: Result<O, BuildError>) -> &'static str {
    match result {
        Ok(owner) => panic!("{owner:?} was built"),
        Err(BuildError::Invalid { option, .. }) => option,
        Err(other) => panic!("another error: {other}"),
    }
}

fn zero_workers_are_an_error_that_names_the_option<O: Owner>(backend: &Backend<O>) {
    let built = backend.try_build(|builder| {
        builder.worker_threads(0);
    });
    assert_eq!(option(built), "worker_threads");
}

fn zero_blocking_threads_are_an_error_that_names_the_option<O: Owner>(backend: &Backend<O>) {
    let built = backend.try_build(|builder| {
        builder.max_blocking_threads(0);
    });
    assert_eq!(option(built), "max_blocking_threads");
}

fn a_thread_name_with_a_nul_is_an_error_that_names_the_option<O: Owner>(backend: &Backend<O>) {
    let built = backend.try_build(|builder| {
        builder.thread_name("a\0b");
    });
    assert_eq!(option(built), "thread_name");
}

fn an_invalid_option_is_not_forgotten_when_another_is_set<O: Owner>(backend: &Backend<O>) {
    let built = backend.try_build(|builder| {
        builder.worker_threads(0).thread_name("fine");
    });
    assert_eq!(option(built), "worker_threads");
}

fn a_current_thread_runtime_with_four_workers_is_an_error<O: Owner>(backend: &Backend<O>) {
    let built = backend.try_build(|builder| {
        *builder = Builder::new_current_thread();
        builder.worker_threads(4);
    });
    assert_eq!(option(built), "worker_threads");
}

fn one_worker_is_enough<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build_with(|builder| {
        builder.worker_threads(1);
    });
    let task = owner.handle().spawn(async { 7 });
    assert_eq!(owner.block_on(task).unwrap(), 7);
}

fn more_workers_than_cores_are_fine<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build_with(|builder| {
        builder.worker_threads(9);
    });
    let tasks: Vec<_> = (0..100)
        .map(|number| owner.handle().spawn(async move { number }))
        .collect();
    owner.block_on(async {
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), number);
        }
    });
}

/// Builds a runtime with an option. Returns `None` if the backend reports that it cannot honour it.
fn honoured<O: Owner>(
    backend: &Backend<O>,
    name: &str,
    set: impl FnOnce(&mut Builder<O>),
) -> Option<O> {
    match backend.try_build(set) {
        Ok(owner) => Some(owner),
        Err(BuildError::Unsupported {
            backend,
            option,
            why,
        }) => {
            assert_eq!(option, name);
            assert!(!backend.is_empty() && !why.is_empty());
            None
        }
        Err(other) => panic!("another error: {other}"),
    }
}

/// Runs `look` on a blocking thread, and on a worker if the runtime has worker threads.
fn on_its_threads<O: Owner, T: Send + 'static>(
    backend: &Backend<O>,
    owner: &O,
    look: fn() -> T,
) -> Vec<T> {
    let mut seen = vec![park_on(owner.handle().spawn_blocking(look)).unwrap()];
    if backend.config().flavor == Flavor::MultiThread {
        seen.push(park_on(owner.handle().spawn(async move { look() })).unwrap());
    }
    seen
}

fn the_thread_name_is_that_of_workers_and_blocking_threads<O: Owner>(backend: &Backend<O>) {
    let owner = honoured(backend, "thread_name", |builder| {
        builder.thread_name("named-by-a-case");
    });
    let Some(owner) = owner else { return };
    let names = on_its_threads(backend, &owner, || {
        thread::current().name().map(str::to_owned)
    });
    for name in names {
        assert_eq!(name.as_deref(), Some("named-by-a-case"));
    }
}

fn the_stack_size_is_that_of_workers_and_blocking_threads<O: Owner>(backend: &Backend<O>) {
    // More than any default. The memory is only reserved.
    const SIZE: usize = 48 << 20;
    let owner = honoured(backend, "thread_stack_size", |builder| {
        builder.thread_stack_size(SIZE);
    });
    let Some(owner) = owner else { return };
    for size in on_its_threads(backend, &owner, stack_size) {
        match size {
            Some(size) => assert!(size >= SIZE, "the stack has {size} bytes"),
            None => return, // Unknown on this system.
        }
    }
}

/// Returns the size of the mapping that contains this thread's stack.
fn stack_size() -> Option<usize> {
    let local = 0_u8;
    let here = std::ptr::from_ref(std::hint::black_box(&local)).addr();
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        (start..end).contains(&here).then_some(end - start)
    })
}

fn pinned_workers_stay_on_one_core<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = honoured(backend, "pin_workers", |builder| {
        builder.pin_workers(true);
    });
    let Some(owner) = owner else { return };
    let task = owner.handle().spawn(async { allowed_cores() });
    if let Some(cores) = park_on(task).unwrap() {
        assert!(cores.parse::<u32>().is_ok(), "allowed on cores {cores}");
    }
}

/// Returns the cores on which this thread may run, in the format of Linux: `0-1`, `3`.
fn allowed_cores() -> Option<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let cores = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(cores.trim().to_owned())
}

fn the_handle_and_the_owner_can_be_printed<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    for printed in [format!("{owner:?}"), format!("{:?}", owner.handle())] {
        assert!(!printed.is_empty());
    }
}

fn a_builder_builds_more_than_once<O: Owner>(backend: &Backend<O>) {
    let owners = [backend.build(), backend.build(), backend.build()];
    for owner in &owners {
        assert_eq!(
            owner.block_on(owner.handle().spawn(async { 7 })).unwrap(),
            7
        );
    }
}
