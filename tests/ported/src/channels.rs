//! Every kind of channel and lock, and the messages of their errors.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Barrier, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::Outcome;

pub async fn run() -> Outcome {
    println!("== channels");
    pipeline().await?;
    requests().await?;
    broadcasts().await?;
    locks().await?;
    choices().await;
    errors().await;
    Ok(())
}

/// Three stages, the last one slower than the first. The order is kept and nothing is lost.
async fn pipeline() -> Outcome {
    let (numbers, mut to_square) = mpsc::channel(4);
    let (squares, mut to_sum) = mpsc::channel::<u64>(2);
    let source = tokio::spawn(async move {
        for number in 1..=100_u64 {
            numbers
                .send(number)
                .await
                .map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(())
    });
    let stage = tokio::spawn(async move {
        while let Some(number) = to_square.recv().await {
            if squares.send(number * number).await.is_err() {
                break;
            }
        }
    });
    let (mut sum, mut ordered, mut last) = (0, true, 0);
    while let Some(square) = to_sum.recv().await {
        ordered &= square > last;
        last = square;
        sum += square;
        if sum % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    source.await??;
    stage.await?;
    println!("sum of squares {sum}, in order: {ordered}");
    Ok(())
}

/// An actor with one channel for requests, and one per request for the answer.
async fn requests() -> Outcome {
    let (ask, mut asked) = mpsc::unbounded_channel::<(u32, oneshot::Sender<String>)>();
    let actor = tokio::spawn(async move {
        let mut answered = 0;
        while let Some((number, answer)) = asked.recv().await {
            answered += usize::from(answer.send(format!("{number:#b}")).is_ok());
        }
        answered
    });
    let mut askers = JoinSet::new();
    for number in 0..5 {
        let ask = ask.clone();
        askers.spawn(async move {
            let (answer, answered) = oneshot::channel();
            ask.send((number, answer)).ok()?;
            answered.await.ok()
        });
    }
    drop(ask);
    let mut answers = askers.join_all().await;
    answers.sort();
    println!("{answers:?}, answered {}", actor.await?);
    Ok(())
}

async fn broadcasts() -> Outcome {
    let (sender, mut slow) = broadcast::channel(2);
    let mut fast = sender.subscribe();
    for word in ["one", "two", "three"] {
        sender.send(word)?;
        println!("fast {:?} slow has {}", fast.recv().await, slow.len());
        if word == "one" {
            drop(sender.subscribe());
        }
    }
    println!("slow {:?} then {:?}", slow.recv().await, slow.recv().await);
    let (state, mut seen) = watch::channel("new");
    state.send_replace("ready");
    seen.changed().await?;
    println!("watched {:?}", *seen.borrow_and_update());
    state.send_if_modified(|_| false);
    println!("changed {:?}", seen.has_changed()?);
    drop(state);
    println!("gone {:?}", seen.changed().await);
    Ok(())
}

async fn locks() -> Outcome {
    let permits = Arc::new(Semaphore::new(2));
    let most = Arc::new(RwLock::new((0_usize, 0_usize)));
    let start = Arc::new(Barrier::new(6));
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let (permits, most, start) = (permits.clone(), most.clone(), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            let permit = permits.acquire_owned().await;
            {
                let mut most = most.write().await;
                most.0 += 1;
                most.1 = most.1.max(most.0);
            }
            tokio::task::yield_now().await;
            most.write().await.0 -= 1;
            permit.is_ok()
        });
    }
    let all = tasks.join_all().await.into_iter().all(|acquired| acquired);
    let (now, at_once) = *most.read().await;
    println!(
        "permits held: {all}, at most two at once: {}, now {now}",
        at_once <= 2
    );

    let notify = Arc::new(Notify::new());
    let waiting = tokio::spawn({
        let notify = notify.clone();
        async move { notify.notified().await }
    });
    notify.notify_one();
    waiting.await?;
    let cell = OnceCell::new();
    let first = cell.get_or_init(|| async { "once" }).await;
    println!(
        "{first} and {}",
        cell.get_or_init(|| async { "twice" }).await
    );
    Ok(())
}

/// `select!` in its forms.
async fn choices() {
    let (left, mut lefts) = mpsc::channel(8);
    let (right, mut rights) = mpsc::channel(8);
    for number in 0..3 {
        let _ = left.try_send(number);
        let _ = right.try_send(number * 10);
    }
    drop((left, right));
    let mut taken = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(number) = lefts.recv() => taken.push(number),
            Some(number) = rights.recv(), if taken.len() < 5 => taken.push(number),
            else => break,
        }
    }
    println!("biased {taken:?}");
    let mut later = std::pin::pin!(tokio::time::sleep(Duration::from_secs(3600)));
    let first = tokio::select! {
        () = &mut later => "the sleep",
        value = async { "the value" } => value,
    };
    println!("first {first}, the sleep is over: {}", later.is_elapsed());
    let both = tokio::try_join!(async { Ok::<_, String>(1) }, async {
        Err::<u8, _>("no".to_owned())
    });
    println!(
        "both {both:?}, joined {:?}",
        tokio::join!(async { 1 }, async { "two" })
    );
}

async fn errors() {
    let (sender, receiver) = mpsc::channel(1);
    println!("{:?} {:?}", sender.try_send(1), sender.try_send(2));
    drop(receiver);
    if let Err(error) = sender.send(3).await {
        println!("{error:?}: {error}");
    }
    let (sender, receiver) = oneshot::channel::<u8>();
    drop(sender);
    if let Err(error) = receiver.await {
        println!("{error:?}: {error}");
    }
    let semaphore = Semaphore::new(1);
    semaphore.close();
    println!("{:?}", semaphore.acquire().await.map(drop));
}
