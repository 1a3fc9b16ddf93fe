//! Random scripts of socket calls give the same results on the real loopback and simulated: the same numbers of bytes,
//! kinds of errors and errnos, and the same calls wait.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use anyrt_core::Runtime;
use anyrt_core::net::{SocketOptions, TcpListener, TcpStream, UdpSocket};
use anyrt_core::runtime::{Builder, Owner};
use anyrt_sim::Sim;
use futures_util::future::poll_immediate;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Gave(usize),
    Failed(io::ErrorKind, Option<i32>),
    Waits,
    /// The socket that it needs is not there.
    Skipped,
}

impl Outcome {
    fn of<T>(result: io::Result<T>, value: impl FnOnce(T) -> usize) -> Self {
        match result {
            Ok(ok) => Self::Gave(value(ok)),
            Err(error) => Self::Failed(error.kind(), error.raw_os_error()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Accept,
    DropListener,
    Write(usize, usize),
    Read(usize, usize),
    Peek(usize, usize),
    /// Of two buffers each.
    WriteVectored(usize, usize),
    ReadVectored(usize, usize),
    /// That dropping it is a reset.
    Linger(usize),
    TakeError(usize),
    Shutdown(usize, Shutdown),
    PeerAddr(usize),
    Drop(usize),
}

/// The test's own numbers, which have nothing to do with the simulator's.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound) as usize
    }
}

fn script(number: u64) -> Vec<Call> {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let length = 4 + dice.below(14);
    let mut calls: Vec<_> = (0..length)
        .map(|_| {
            let end = dice.below(2);
            match dice.below(120) {
                0..3 => Call::DropListener,
                3..33 => Call::Write(end, dice.below(1_500)),
                33..60 => Call::Read(end, 1 + dice.below(2_000)),
                60..68 => Call::Peek(end, 1 + dice.below(500)),
                68..76 => Call::Shutdown(end, Shutdown::Write),
                76..80 => Call::Shutdown(end, Shutdown::Read),
                80..83 => Call::Shutdown(end, Shutdown::Both),
                83..88 => Call::PeerAddr(end),
                88..94 => Call::Drop(end),
                100..106 => Call::WriteVectored(end, dice.below(800)),
                106..112 => Call::ReadVectored(end, 1 + dice.below(800)),
                112..115 => Call::Linger(end),
                115..120 => Call::TakeError(end),
                _ => Call::Accept,
            }
        })
        .collect();
    // Mostly the server is there from the beginning.
    if dice.below(10) < 8 {
        calls.insert(0, Call::Accept);
    }
    calls
}

/// A way to make calls, which determines whether a call waits or ends.
trait Way<R: Runtime> {
    /// Lets arrive what was sent.
    async fn settle(&self, rt: &R);

    /// Makes the call of that number.
    async fn call<T>(
        &self,
        rt: &R,
        number: usize,
        call: impl Future<Output = io::Result<T>>,
    ) -> Option<io::Result<T>>;
}

/// In the simulation, after all packets have arrived: what does not end at once waits.
struct Simulated;

impl<R: Runtime> Way<R> for Simulated {
    async fn settle(&self, rt: &R) {
        rt.sleep(Duration::from_millis(10)).await;
    }

    async fn call<T>(
        &self,
        _: &R,
        _: usize,
        call: impl Future<Output = io::Result<T>>,
    ) -> Option<io::Result<T>> {
        poll_immediate(pin!(call)).await
    }
}

/// On the real loopback, where a reactor tells of what is ready in its own time: what ended in the simulation may
/// take as long as it likes, and what waited there is given a moment to show that it does not.
struct Real<'a>(&'a [Outcome]);

/// Names a call that waits although it ended in the simulation; far more than any needs.
const PATIENCE: Duration = Duration::from_secs(5);

impl<R: Runtime> Way<R> for Real<'_> {
    /// The loopback delivers within the call that sends.
    async fn settle(&self, _: &R) {}

    async fn call<T>(
        &self,
        rt: &R,
        number: usize,
        call: impl Future<Output = io::Result<T>>,
    ) -> Option<io::Result<T>> {
        if self.0[number] == Outcome::Waits {
            rt.sleep(Duration::from_millis(1)).await;
            return poll_immediate(pin!(call)).await;
        }
        rt.timeout(PATIENCE, call).await.ok()
    }
}

/// Makes the call that comes after `outcomes`.
async fn now<R: Runtime, T>(
    (rt, way): (&R, &impl Way<R>),
    outcomes: &[Outcome],
    call: impl Future<Output = io::Result<T>>,
    value: impl FnOnce(T) -> usize,
) -> Outcome {
    match way.call(rt, outcomes.len(), call).await {
        Some(result) => Outcome::of(result, value),
        None => Outcome::Waits,
    }
}

async fn run<R: Runtime>(rt: R, calls: &[Call], way: impl Way<R>) -> Vec<Outcome>
where
    R::TcpStream: SocketOptions,
{
    let with = (&rt, &way);
    let mut listener = Some(rt.bind_tcp(LOOPBACK).await.unwrap());
    let address = listener.as_ref().unwrap().local_addr().unwrap();
    let client = rt.connect_tcp(address).await.unwrap();
    // Nagle's algorithm, which the simulator does not have, would keep small writes back.
    client.set_nodelay(true).unwrap();
    let mut ends = [Some(client), None];
    let mut outcomes = Vec::new();
    for call in calls {
        way.settle(&rt).await;
        let outcome = match *call {
            Call::Accept => match &listener {
                Some(listener) if ends[1].is_none() => {
                    let keep = |(stream, _): (R::TcpStream, _)| {
                        // Fails where the connection was reset already.
                        let _ = stream.set_nodelay(true);
                        ends[1] = Some(stream);
                        0
                    };
                    now(with, &outcomes, listener.accept(), keep).await
                }
                _ => Outcome::Skipped,
            },
            Call::DropListener => {
                listener = None;
                Outcome::Gave(0)
            }
            Call::Drop(end) => match ends[end].take() {
                Some(_) => Outcome::Gave(0),
                None => Outcome::Skipped,
            },
            Call::Write(end, _)
            | Call::Read(end, _)
            | Call::Peek(end, _)
            | Call::WriteVectored(end, _)
            | Call::ReadVectored(end, _)
            | Call::Linger(end)
            | Call::TakeError(end)
            | Call::Shutdown(end, _)
            | Call::PeerAddr(end) => match &mut ends[end] {
                Some(stream) => on_stream(with, &outcomes, stream, *call).await,
                None => Outcome::Skipped,
            },
        };
        outcomes.push(outcome);
    }
    outcomes
}

async fn on_stream<R: Runtime>(
    with: (&R, &impl Way<R>),
    before: &[Outcome],
    stream: &mut R::TcpStream,
    call: Call,
) -> Outcome
where
    R::TcpStream: SocketOptions,
{
    match call {
        Call::Write(_, length) => now(with, before, stream.write(&vec![7; length]), |n| n).await,
        Call::Read(_, length) => now(with, before, stream.read(&mut vec![0; length]), |n| n).await,
        Call::Peek(_, length) => now(with, before, stream.peek(&mut vec![0; length]), |n| n).await,
        Call::WriteVectored(_, length) => {
            let bytes = vec![7; length];
            let parts = [IoSlice::new(&bytes), IoSlice::new(&bytes[length / 2..])];
            now(with, before, stream.write_vectored(&parts), |n| n).await
        }
        Call::ReadVectored(_, length) => {
            let (mut one, mut two) = (vec![0; length], vec![0; length / 2]);
            let mut parts = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            now(with, before, stream.read_vectored(&mut parts), |n| n).await
        }
        Call::Linger(_) => Outcome::of(stream.set_linger(Some(Duration::ZERO)), |()| 0),
        Call::TakeError(_) => Outcome::of(stream.take_error(), |error| {
            let errno = error.and_then(|error| error.raw_os_error());
            usize::try_from(errno.unwrap_or(0)).unwrap()
        }),
        Call::Shutdown(_, how) => Outcome::of(stream.shutdown(how), |()| 0),
        Call::PeerAddr(_) => Outcome::of(stream.peer_addr(), |_| 0),
        Call::Accept | Call::DropListener | Call::Drop(_) => Outcome::Skipped,
    }
}

struct Script<'a>(u64, &'a [Call], &'a [Outcome], &'a [Outcome]);

impl fmt::Display for Script<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "script {}: real, then simulated", self.0)?;
        for ((call, real), simulated) in self.1.iter().zip(self.2).zip(self.3) {
            let mark = if real == simulated { ' ' } else { '!' };
            writeln!(f, "{mark} {call:?}: {real:?}, {simulated:?}")?;
        }
        Ok(())
    }
}

/// So many scripts, or `ANYRT_TEST_SCRIPTS`.
fn scripts(usual: u64) -> u64 {
    let more = std::env::var("ANYRT_TEST_SCRIPTS");
    more.map_or(usual, |more| more.parse().unwrap())
}

fn real() -> anyrt_smol::runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

tests! {
    fn scripts_of_a_connection_give_the_same_really_and_simulated() {
        let smol = real();
        let mut wrong = String::new();
        for number in 1..=scripts(400) {
            let calls = script(number);
            let sim = Sim::new(number);
            let simulated = sim.block_on(run(sim.handle().clone(), &calls, Simulated));
            let native = run(smol.handle().clone(), &calls, Real(&simulated));
            let native = smol.block_on(native);
            if native != simulated {
                wrong += &Script(number, &calls, &native, &simulated).to_string();
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    fn scripts_of_datagrams_give_the_same_really_and_simulated() {
        let smol = real();
        for number in 1..=scripts(200) {
            let sim = Sim::new(number);
            let simulated = sim.block_on(datagrams(sim.handle().clone(), number, Simulated));
            let native = datagrams(smol.handle().clone(), number, Real(&simulated));
            let native = smol.block_on(native);
            assert_eq!(native, simulated, "script {number}: real, then simulated");
        }
    }

    fn connecting_and_binding_fail_in_the_same_way_really_and_simulated() {
        let smol = real();
        let native = smol.block_on(refusals(smol.handle().clone()));
        let sim = Sim::new(1);
        let simulated = sim.block_on(refusals(sim.handle().clone()));
        assert_eq!(native, simulated);
    }

    fn a_listener_of_ipv6_takes_ipv4_really_and_simulated() {
        let smol = real();
        let native = smol.block_on(both_families(smol.handle().clone()));
        let sim = Sim::new(1);
        let simulated = sim.block_on(both_families(sim.handle().clone()));
        assert_eq!(native, simulated);
    }
}

/// Calls of two datagram sockets, and of a third address without a socket.
async fn datagrams<R: Runtime>(rt: R, number: u64, way: impl Way<R>) -> Vec<Outcome> {
    let with = (&rt, &way);
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let sockets = [
        rt.bind_udp(LOOPBACK).await.unwrap(),
        rt.bind_udp(LOOPBACK).await.unwrap(),
    ];
    let dead = {
        let socket = rt.bind_udp(LOOPBACK).await.unwrap();
        socket.local_addr().unwrap()
    };
    let addresses = [
        sockets[0].local_addr().unwrap(),
        sockets[1].local_addr().unwrap(),
        dead,
    ];
    let mut outcomes = Vec::new();
    for _ in 0..4 + dice.below(12) {
        way.settle(&rt).await;
        let end = dice.below(2);
        let socket = &sockets[end];
        let to = addresses[if dice.below(4) == 0 { 2 } else { 1 - end }];
        let length = match dice.below(12) {
            0 => 65_507,
            1 => 65_508,
            2 => 0,
            _ => dice.below(3_000),
        };
        let buffer = vec![7; length];
        let outcome = match dice.below(10) {
            0 => now(with, &outcomes, socket.connect(to), |()| 0).await,
            1..4 => now(with, &outcomes, socket.send(&buffer), |n| n).await,
            4..6 => now(with, &outcomes, socket.send_to(&buffer, to), |n| n).await,
            6 => Outcome::of(socket.peer_addr(), |_| 0),
            7 => {
                now(
                    with,
                    &outcomes,
                    socket.recv(&mut vec![0; 1 + length / 2]),
                    |n| n,
                )
                .await
            }
            _ => {
                let from = |(n, from): (usize, SocketAddr)| {
                    assert_eq!(from, addresses[1 - end]);
                    n
                };
                now(
                    with,
                    &outcomes,
                    socket.recv_from(&mut vec![0; 1 + length]),
                    from,
                )
                .await
            }
        };
        outcomes.push(outcome);
    }
    outcomes
}

async fn refusals<R: Runtime>(rt: R) -> Vec<Outcome> {
    let listener = rt.bind_tcp(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
    let udp = rt.bind_udp(LOOPBACK).await.unwrap();
    let udp_address = udp.local_addr().unwrap();
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
    let mut outcomes = vec![
        Outcome::of(rt.bind_tcp(address).await, |_| 0),
        Outcome::of(rt.bind_tcp(everywhere).await, |_| 0),
        Outcome::of(rt.bind_tcp(elsewhere).await, |_| 0),
        Outcome::of(rt.bind_udp(elsewhere).await, |_| 0),
        Outcome::of(rt.bind_udp(udp_address).await, |_| 0),
        // Another protocol has ports of its own.
        Outcome::of(rt.bind_udp(address).await, |_| 0),
        // Everywhere is here, too.
        Outcome::of(rt.connect_tcp(everywhere).await, |_| 0),
    ];
    drop(listener);
    outcomes.push(Outcome::of(rt.connect_tcp(address).await, |_| 0));
    outcomes.push(Outcome::of(rt.bind_tcp(address).await, |_| 0));
    outcomes.push(Outcome::of(rt.connect_tcp("no-port").await, |_| 0));
    outcomes.push(Outcome::of(
        rt.bind_tcp(Vec::<SocketAddr>::new()).await,
        |_| 0,
    ));
    outcomes
}

/// Records a listener at `[::]`, with the addresses that both ends see; without ports, which differ.
async fn both_families<R: Runtime>(rt: R) -> Vec<(Outcome, String)> {
    let listener = rt.bind_tcp("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut seen = Vec::new();
    for address in ["[::]", "[::1]", "0.0.0.0", "127.0.0.1"] {
        let taken = rt.bind_tcp(format!("{address}:{port}")).await;
        seen.push((Outcome::of(taken, |_| 0), address.to_owned()));
        let client = rt.connect_tcp(format!("{address}:{port}")).await.unwrap();
        let (server, from) = listener.accept().await.unwrap();
        let addresses = [
            client.local_addr(),
            client.peer_addr(),
            server.local_addr(),
            server.peer_addr(),
            Ok(from),
        ];
        let addresses = addresses.map(|address| address.unwrap().ip().to_string());
        seen.push((Outcome::Gave(0), addresses.join(" ")));
    }
    drop(listener);
    // And the other way round.
    for (first, second) in [
        ("0.0.0.0", "[::]"),
        ("127.0.0.1", "[::]"),
        ("[::1]", "0.0.0.0"),
    ] {
        let first = rt.bind_tcp(format!("{first}:0")).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let taken = rt.bind_tcp(format!("{second}:{port}")).await;
        seen.push((Outcome::of(taken, |_| 0), second.to_owned()));
    }
    seen
}
