//! The actor model: a bank whose accounts belong to one task, and a supervisor that restarts it.
//!
//! Use it when state has rules: one task owns it, messages request changes, and each message
//! carries a channel for its answer. What guides miss: a restarted actor must keep its mailbox, or
//! every handle is dead; it must get its state back from what was committed, not from memory that
//! the panic left half changed; an actor that sends to itself and waits hangs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyrt::sync::{Mutex as AsyncMutex, mpsc, oneshot};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let (bank, supervisor) = open_bank();

    bank.deposit("ann", 100).await?;
    assert_eq!(bank.withdraw("ann", 30).await?, 70);
    let error = bank.withdraw("ann", 71).await.unwrap_err();
    assert_eq!(
        error,
        BankError::Insufficient {
            balance: 70,
            asked: 71
        }
    );

    // A bug: the sum overflows and the actor panics. Only the caller gets an error.
    assert_eq!(bank.deposit("ann", u64::MAX).await, Err(BankError::Crashed));
    // The next one is served by the restarted actor, through the same handle, with the committed
    // balance.
    assert_eq!(bank.balance("ann").await?, 70);

    // Many clients at once; the actor takes one message after the other, so no update is lost.
    let mut clients = anyrt::task::JoinSet::new();
    for _ in 0..50 {
        let bank = bank.clone();
        clients.spawn(async move { bank.deposit("bob", 2).await });
    }
    while let Some(result) = clients.join_next().await {
        result??;
    }
    assert_eq!(bank.balance("bob").await?, 100);

    // The last handle is gone: the mailbox ends, the actor and its supervisor with it.
    drop(bank);
    assert_eq!(supervisor.await?, Ok(1));
    println!("actor: ann has 70, bob has 100, restarted once");
    Ok(())
}

// ANCHOR: handle
/// A handle to the bank. Cheap to clone.
#[derive(Clone)]
struct Bank {
    mailbox: mpsc::Sender<Message>,
}

enum Message {
    Post {
        account: String,
        change: Change,
        reply: Reply,
    },
    Balance {
        account: String,
        reply: Reply,
    },
}

type Reply = oneshot::Sender<Result<u64, BankError>>;

#[derive(Debug, Clone, Copy)]
enum Change {
    Deposit(u64),
    Withdraw(u64),
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum BankError {
    #[error("{asked} asked for, but the balance is {balance}")]
    Insufficient { balance: u64, asked: u64 },
    #[error("the bank failed while it handled this request")]
    Crashed,
    #[error("the bank is closed")]
    Closed,
}

impl Bank {
    async fn deposit(&self, account: &str, amount: u64) -> Result<u64, BankError> {
        self.post(account, Change::Deposit(amount)).await
    }

    async fn withdraw(&self, account: &str, amount: u64) -> Result<u64, BankError> {
        self.post(account, Change::Withdraw(amount)).await
    }

    async fn balance(&self, account: &str) -> Result<u64, BankError> {
        self.ask(|reply| Message::Balance {
            account: account.into(),
            reply,
        })
        .await
    }

    async fn post(&self, account: &str, change: Change) -> Result<u64, BankError> {
        self.ask(|reply| Message::Post {
            account: account.into(),
            change,
            reply,
        })
        .await
    }

    async fn ask(&self, message: impl FnOnce(Reply) -> Message) -> Result<u64, BankError> {
        let (reply, answer) = oneshot::channel();
        self.mailbox
            .send(message(reply))
            .await
            .map_err(|_| BankError::Closed)?;
        // The actor dropped `reply` while it unwound.
        answer.await.map_err(|_| BankError::Crashed)?
    }
}
// ANCHOR_END: handle

// ANCHOR: actor
/// The committed balances, in order. A real bank keeps them on disk.
type Journal = Arc<Mutex<Vec<(String, u64)>>>;

/// Serves until the mailbox ends. It owns its state: no lock, no `Arc`.
async fn actor(mailbox: Arc<AsyncMutex<mpsc::Receiver<Message>>>, journal: Journal) {
    // Held for the actor's life. Only one actor lives at a time, so this never waits.
    let mut mailbox = mailbox.lock().await;
    let mut balances: HashMap<String, u64> = HashMap::new();
    for (account, balance) in journal.lock().expect("no holder panics").iter() {
        balances.insert(account.clone(), *balance);
    }
    while let Some(message) = mailbox.recv().await {
        match message {
            Message::Balance { account, reply } => {
                // Fails if the client has stopped waiting, which is not an error here.
                let _ = reply.send(Ok(balances.get(&account).copied().unwrap_or(0)));
            }
            Message::Post {
                account,
                change,
                reply,
            } => {
                let balance = balances.entry(account.clone()).or_default();
                let changed = match change {
                    Change::Deposit(amount) => {
                        Ok(balance.checked_add(amount).expect("balances fit"))
                    }
                    Change::Withdraw(asked) => {
                        balance.checked_sub(asked).ok_or(BankError::Insufficient {
                            balance: *balance,
                            asked,
                        })
                    }
                };
                if let Ok(changed) = changed {
                    // Committed before the client gets the answer.
                    journal
                        .lock()
                        .expect("no holder panics")
                        .push((account, changed));
                    *balance = changed;
                }
                let _ = reply.send(changed);
            }
        }
    }
}
// ANCHOR_END: actor

// ANCHOR: supervisor
/// Starts the bank. The second value is the supervisor: it returns the number of restarts once the
/// bank is closed, or an error once it gives up.
fn open_bank() -> (Bank, anyrt::task::JoinHandle<Result<u32, &'static str>>) {
    const MOST_RESTARTS: u32 = 3;
    let (mailbox, received) = mpsc::channel(32);
    // Outside the actor, so that both outlive it.
    let received = Arc::new(AsyncMutex::new(received));
    let journal = Journal::default();
    let supervisor = anyrt::spawn(async move {
        for restarts in 0..=MOST_RESTARTS {
            match anyrt::spawn(actor(Arc::clone(&received), Arc::clone(&journal))).await {
                Ok(()) => return Ok(restarts),
                Err(error) if error.is_panic() => {}
                Err(_) => return Err("the runtime ended"),
            }
        }
        // A fault that repeats needs another remedy than a restart.
        Err("restarted too often")
    });
    (Bank { mailbox }, supervisor)
}
// ANCHOR_END: supervisor
