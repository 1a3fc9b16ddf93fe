//! The effects of faults on programs.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::{Net, Timer};
use anyrt_sim::{Latency, Link, Node, Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Counts its starts, and echoes at port 7 of TCP and UDP.
fn echo(sim: &Sim) -> (Node, Arc<AtomicUsize>) {
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&starts);
    let node = sim.host("echo", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            let rt = here();
            let listener = rt.bind_tcp("0.0.0.0:7").await.unwrap();
            let socket = rt.bind_udp("0.0.0.0:7").await.unwrap();
            let datagrams = async {
                loop {
                    let mut buffer = [0; 64];
                    let (n, from) = socket.recv_from(&mut buffer).await.unwrap();
                    socket.send_to(&buffer[..n], from).await.unwrap();
                }
            };
            let streams = async {
                use anyrt_core::Spawner;
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    drop(rt.spawn(async move {
                        let (read, mut write) = AsyncReadExt::split(stream);
                        let _ = futures_util::io::copy(read, &mut write).await;
                    }));
                }
            };
            futures_util::future::join(datagrams, streams).await;
        }
    });
    (node, starts)
}

/// Runs a client of the echo server, after that has started.
fn with_echo<F>(seed: u64, client: impl FnOnce(SimRuntime, Node) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let sim = Sim::new(seed);
    let (node, _) = echo(&sim);
    sim.client("client", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        client(rt, node).await;
    });
    sim.run().unwrap();
}

async fn round_trip<S>(stream: &mut S, byte: u8)
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    stream.write_all(&[byte]).await.unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [byte]);
}

tests! {
    fn a_connection_goes_on_after_a_partition() {
        with_echo(1, |rt, node| async move {
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 1).await;
            let partition = rt.partition(&[&rt.node()], &[&node]);
            stream.write_all(&[2]).await.unwrap();
            let mut answer = [0];
            let early = rt.timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
            assert!(early.is_err(), "nothing passes a partition");
            partition.heal();
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [2]);
        });
    }

    fn a_connection_is_given_up_when_a_partition_lasts() {
        with_echo(1, |rt, node| async move {
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 1).await;
            let _partition = rt.partition(&[&rt.node()], &[&node]);
            stream.write_all(&[2]).await.unwrap();
            let error = stream.read_exact(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(rt.elapsed() > Duration::from_secs(900), "Linux tries for a quarter of an hour");
            let error = rt.connect_tcp(node.address(7)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        });
    }

    fn datagrams_are_lost_in_a_partition_also_in_one_direction() {
        with_echo(1, |rt, node| async move {
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            let second = Duration::from_secs(1);
            let mut buffer = [0; 8];
            socket.send_to(b"before", node.address(7)).await.unwrap();
            assert_eq!(socket.recv(&mut buffer).await.unwrap(), 6);
            for there in [true, false] {
                let me = rt.node();
                let partition = if there {
                    rt.partition_one_way(&[&me], &[&node])
                } else {
                    rt.partition_one_way(&[&node], &[&me])
                };
                socket.send_to(b"lost", node.address(7)).await.unwrap();
                assert!(rt.timeout(second, socket.recv(&mut buffer)).await.is_err());
                drop(partition);
                socket.send_to(b"after", node.address(7)).await.unwrap();
                assert_eq!(socket.recv(&mut buffer).await.unwrap(), 5);
            }
        });
    }

    fn what_is_held_back_arrives_later_in_its_order() {
        with_echo(1, |rt, node| async move {
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            let hold = rt.hold(&[&rt.node()], &[&node]);
            for number in 0..20 {
                socket.send_to(&[number], node.address(7)).await.unwrap();
            }
            let mut buffer = [0; 8];
            let early = rt.timeout(Duration::from_secs(60), socket.recv(&mut buffer)).await;
            assert!(early.is_err(), "it was held back");
            hold.release();
            for number in 0..20 {
                socket.recv(&mut buffer).await.unwrap();
                assert_eq!(buffer[0], number);
            }
        });
    }

    fn bad_links_lose_and_double_datagrams_and_tcp_gets_through() {
        let sim = Sim::new(4);
        let mut link = Link::default();
        link.loss = 0.3;
        link.duplication = 0.3;
        link.reordering = true;
        link.latency = Latency::Exponential(Duration::from_micros(100), Duration::from_millis(2));
        let (node, _) = echo(&sim);
        sim.set_link(link);
        sim.client("client", async move {
            let rt = here();
            rt.sleep(Duration::from_millis(1)).await;
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            for number in 0..200 {
                socket.send_to(&[number], node.address(7)).await.unwrap();
            }
            let mut received = Vec::new();
            let mut buffer = [0; 8];
            while rt.timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await.is_ok() {
                received.push(buffer[0]);
            }
            let unique: std::collections::BTreeSet<_> = received.iter().collect();
            assert!((50..190).contains(&unique.len()), "{} of 200 arrived", unique.len());
            assert!(unique.len() < received.len(), "none came twice");
            assert!(!received.is_sorted(), "none overtook another");

            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            for byte in 0..100 {
                round_trip(&mut stream, byte).await;
            }
        });
        sim.run().unwrap();
    }

    fn a_crash_ends_connections_and_a_restart_begins_anew() {
        let sim = Sim::new(1);
        let (node, starts) = echo(&sim);
        let begun = Arc::clone(&starts);
        sim.client("client", async move {
            let rt = here();
            rt.sleep(Duration::from_millis(1)).await;
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 1).await;
            node.crash();
            assert!(!node.is_up());
            // The system of a killed process closes its sockets.
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            let error = rt.connect_tcp(node.address(7)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            // A crash in a crash is none.
            node.crash();
            node.restart();
            rt.sleep(Duration::from_millis(1)).await;
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 2).await;
            assert_eq!(begun.load(Ordering::SeqCst), 2);
        });
        sim.run().unwrap();
    }

    fn a_power_failure_is_noticed_only_by_who_sends() {
        with_echo(1, |rt, node| async move {
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 1).await;
            node.power_off();
            let minute = Duration::from_secs(60);
            assert!(rt.timeout(minute, stream.read(&mut [0])).await.is_err());
            let error = rt.connect_tcp(node.address(7)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            node.restart();
            // The machine that has come back does not know the connection.
            stream.write_all(&[2]).await.unwrap();
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
    }

    fn a_paused_node_answers_when_it_goes_on() {
        with_echo(1, |rt, node| async move {
            let mut stream = rt.connect_tcp(node.address(7)).await.unwrap();
            round_trip(&mut stream, 1).await;
            node.pause();
            stream.write_all(&[2]).await.unwrap();
            let hour = Duration::from_secs(3_600);
            let mut answer = [0];
            assert!(rt.timeout(hour, stream.read_exact(&mut answer)).await.is_err());
            node.resume();
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [2]);
        });
    }

    fn destructors_of_a_crashed_node_reach_nobody() {
        struct SaysGoodbye(Option<anyrt_sim::net::UdpSocket>, std::net::SocketAddr);
        impl Drop for SaysGoodbye {
            fn drop(&mut self) {
                let socket = self.0.take().unwrap();
                let sent = futures_util::FutureExt::now_or_never(socket.send_to(b"bye", self.1));
                assert!(sent.unwrap().is_err(), "the node is down");
            }
        }
        let sim = Sim::new(1);
        let client = sim.client("client", async {
            let rt = here();
            let socket = rt.bind_udp("0.0.0.0:9").await.unwrap();
            let (mut buffer, second) = ([0; 8], Duration::from_secs(1));
            rt.sleep(Duration::from_millis(1)).await;
            rt.find_node("host").unwrap().crash();
            assert!(rt.timeout(second, socket.recv(&mut buffer)).await.is_err());
        });
        let to = client.address(9);
        sim.host("host", move || async move {
            let socket = here().bind_udp("0.0.0.0:0").await.unwrap();
            let _says = SaysGoodbye(Some(socket), to);
            std::future::pending::<()>().await;
        });
        sim.run().unwrap();
    }

    fn a_node_on_both_sides_of_a_partition_is_refused_by_its_name() {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        with_echo(1, |rt, node| async move {
            for sides in [(vec![&node], vec![&node]), (vec![], vec![&node])] {
                let refused = catch_unwind(AssertUnwindSafe(|| {
                    drop(rt.partition(&sides.0, &sides.1));
                }));
                assert!(refused.is_err());
            }
        });
    }
}
