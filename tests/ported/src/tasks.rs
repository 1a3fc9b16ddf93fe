//! Tasks that end, panic, are aborted, stay on one thread, or block.

use std::cell::RefCell;
use std::panic;
use std::rc::Rc;

use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinSet, LocalSet, block_in_place, spawn_blocking, spawn_local, yield_now};

use crate::Outcome;

tokio::task_local! {
    static REQUEST: u32;
}

pub async fn run() -> Outcome {
    println!("== tasks");
    // The message of a panic goes to standard error, with the name of the thread.
    panic::set_hook(Box::new(|_| {}));
    ends().await?;
    sets().await;
    locals().await?;
    blocking().await?;
    runtimes().await?;
    let _ = panic::take_hook();
    Ok(())
}

async fn ends() -> Outcome {
    println!("{:?}", tokio::spawn(async { 42 }).await.map_err(|_| ()));
    let Err(error) = tokio::spawn(async { unlucky() }).await else {
        return Err("it did not panic".into());
    };
    let text = error.to_string();
    // Without the id of the task, which precedes it.
    let message = text.find("panicked").map(|at| &text[at..]);
    println!(
        "panic {} cancelled {}: {message:?}",
        error.is_panic(),
        error.is_cancelled()
    );
    let payload = error.into_panic();
    println!("payload {:?}", payload.downcast_ref::<&str>());

    let endless = tokio::spawn(std::future::pending::<()>());
    let abort = endless.abort_handle();
    println!(
        "finished {}, the same task {}",
        endless.is_finished(),
        abort.id() == endless.id()
    );
    abort.abort();
    let Err(error) = endless.await else {
        return Err("it ended".into());
    };
    println!(
        "panic {} cancelled {}, finished {}",
        error.is_panic(),
        error.is_cancelled(),
        abort.is_finished()
    );
    let (told, heard) = tokio::sync::oneshot::channel();
    drop(tokio::spawn(async move {
        yield_now().await;
        told.send("detached, not cancelled")
    }));
    println!("{}", heard.await?);
    Ok(())
}

fn unlucky() {
    panic!("out of luck")
}

async fn sets() {
    let mut set = JoinSet::new();
    for number in 0..4 {
        set.spawn(async move {
            if number == 2 {
                panic!("two");
            }
            number
        });
    }
    let (mut ended, mut panicked) = (Vec::new(), 0);
    while let Some(one) = set.join_next_with_id().await {
        match one {
            Ok((_, number)) => ended.push(number),
            Err(error) => panicked += usize::from(error.is_panic()),
        }
    }
    ended.sort_unstable();
    println!("ended {ended:?}, panicked {panicked}, left {}", set.len());
    for _ in 0..3 {
        set.spawn(std::future::pending::<i32>());
    }
    println!("ready {}", set.try_join_next().is_some());
    set.shutdown().await;
    println!("after the shutdown {}", set.len());
}

async fn locals() -> Outcome {
    let seen = REQUEST
        .scope(7, async {
            let inner = REQUEST.scope(8, async { REQUEST.get() }).await;
            (
                REQUEST.get(),
                inner,
                REQUEST.sync_scope(9, || REQUEST.with(|id| id + 1)),
            )
        })
        .await;
    println!(
        "in scope {seen:?}, outside {:?}",
        REQUEST.try_with(|id| *id).map_err(|e| e.to_string())
    );

    let order = block_in_place(|| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let set = LocalSet::new();
        for name in ["first", "second"] {
            let log = log.clone();
            set.spawn_local(async move {
                for step in 0..2 {
                    log.borrow_mut().push(format!("{name} {step}"));
                    yield_now().await;
                }
            });
        }
        let inner = log.clone();
        let handle = Handle::current();
        handle.block_on(set.run_until(async move {
            let _ = spawn_local(async move { inner.borrow_mut().push("third".into()) }).await;
        }));
        handle.block_on(set);
        log.take()
    });
    println!("{order:?}");
    Ok(())
}

async fn blocking() -> Outcome {
    let sum = spawn_blocking(|| (1..=1000_u64).sum::<u64>()).await?;
    let inside = spawn_blocking(|| {
        Handle::current().block_on(async {
            yield_now().await;
            "inside"
        })
    })
    .await?;
    println!("{sum} {inside}");
    let failed = spawn_blocking(|| -> u8 { panic!("in the pool") }).await;
    println!("panic {:?}", failed.map_err(|error| error.is_panic()));
    Ok(())
}

async fn runtimes() -> Outcome {
    println!("flavor {:?}", Handle::current().runtime_flavor());
    let outcome = std::thread::spawn(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let value = runtime.block_on(async {
            let task = tokio::spawn(async { Handle::current().runtime_flavor() });
            task.await
        });
        let nested = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            runtime.block_on(async { Handle::current().block_on(async {}) });
        }));
        std::io::Result::Ok(format!("{value:?}, nested {}", nested.is_err()))
    })
    .join();
    println!("{}", outcome.map_err(|_| "it panicked")??);
    Ok(())
}
