//! Nodes and the network between them, when all goes well.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, TcpStream as _};
use anyrt_core::runtime::Owner;
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{Latency, Link, Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

tests! {
    fn a_client_finds_a_host_by_name_and_each_is_itself() {
        let sim = Sim::new(1);
        let server = sim.host("server", || async {
            let rt = here();
            assert_eq!(rt.node().name(), "server");
            let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
            loop {
                let (mut stream, from) = listener.accept().await.unwrap();
                let client = rt.find_node("client").unwrap();
                assert_eq!(from.ip(), client.ip());
                stream.write_all(b"welcome").await.unwrap();
            }
        });
        let address = server.address(80);
        sim.client("client", async move {
            let rt = here();
            assert_eq!(rt.node().name(), "client");
            // A task of the node is on the node, too.
            let task = rt.spawn(async { here().node().name().to_owned() });
            assert_eq!(task.await.unwrap(), "client");
            let mut stream = rt.connect_tcp("server:80").await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "welcome");
        });
        sim.run().unwrap();
    }

    fn a_connection_has_one_other_end() {
        let sim = Sim::new(1);
        sim.client("client", async {
            for many in ["255.255.255.255:80", "224.0.0.1:80", "[ff02::1]:80"] {
                let error = here().connect_tcp(many).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{many}");
                assert_eq!(error.raw_os_error(), Some(101), "{many}");
            }
            // Refused immediately, rather than after the retransmissions of an unanswered packet.
            assert!(here().elapsed() < Duration::from_millis(1));
        });
        sim.run().unwrap();
    }

    fn each_node_has_ports_and_a_loopback_of_its_own() {
        let sim = Sim::new(1);
        for name in ["one", "two"] {
            sim.client(name, async move {
                let rt = here();
                let listener = rt.bind_tcp("127.0.0.1:80").await.unwrap();
                let serve = async {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.write_all(name.as_bytes()).await.unwrap();
                };
                let ask = async {
                    let mut text = String::new();
                    let mut stream = rt.connect_tcp("localhost:80").await.unwrap();
                    stream.read_to_string(&mut text).await.unwrap();
                    text
                };
                let ((), text) = futures_util::future::join(serve, ask).await;
                assert_eq!(text, name);
            });
        }
        sim.run().unwrap();
    }

    fn a_closed_port_refuses_after_a_round_trip() {
        let sim = Sim::new(1);
        let millisecond = Duration::from_millis(1);
        let mut link = Link::default();
        link.latency = Latency::Fixed(millisecond);
        sim.set_link(link);
        let server = sim.host("server", std::future::pending);
        let address = server.address(80);
        sim.client("client", async move {
            let rt = here();
            let before = rt.now();
            let error = rt.connect_tcp(address).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let passed = rt.now() - before;
            assert!(2 * millisecond <= passed && passed < 3 * millisecond, "{passed:?}");
        });
        sim.run().unwrap();
    }

    fn an_address_that_nobody_has_times_out_in_the_time_that_linux_takes() {
        let sim = Sim::new(1);
        let rt = sim.handle().clone();
        let error = sim.block_on(rt.connect_tcp("203.0.113.1:80")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(rt.elapsed().as_secs(), 127);
    }

    fn a_writer_waits_until_its_peer_reads() {
        let sim = Sim::new(1);
        let sent = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&sent);
        sim.host("server", move || {
            let seen = Arc::clone(&seen);
            async move {
                let rt = here();
                let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                rt.sleep(Duration::from_secs(10)).await;
                let held = seen.load(Ordering::SeqCst);
                assert!(held <= 1_000_000, "{held} bytes are nowhere");
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                assert_eq!(all.len(), 5_000_000);
                assert!(all.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
                stream.write_all(b"thanks").await.unwrap();
            }
        });
        sim.client("client", async move {
            let rt = here();
            rt.sleep(Duration::from_millis(10)).await;
            let mut stream = rt.connect_tcp("server:80").await.unwrap();
            let data: Vec<_> = (0..5_000_000).map(|at| (at % 251) as u8).collect();
            while sent.load(Ordering::SeqCst) < data.len() {
                let n = stream.write(&data[sent.load(Ordering::SeqCst)..]).await.unwrap();
                sent.fetch_add(n, Ordering::SeqCst);
            }
            stream.close().await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "thanks");
        });
        sim.run().unwrap();
    }

    fn clients_that_the_backlog_cannot_hold_come_in_later() {
        let sim = Sim::new(1);
        const CLIENTS: usize = 1_100;
        let server = sim.host("server", || async {
            let rt = here();
            let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
            rt.sleep(Duration::from_millis(500)).await;
            for _ in 0..CLIENTS {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"!").await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let address = server.address(80);
        sim.client("client", async move {
            let rt = here();
            rt.sleep(Duration::from_millis(10)).await;
            let tasks: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let there = rt.clone();
                    rt.spawn(async move {
                        let mut stream = there.connect_tcp(address).await.unwrap();
                        stream.read_exact(&mut [0]).await.unwrap();
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            // Their requests were repeated after a second.
            assert!(rt.elapsed() > Duration::from_secs(1));
        });
        sim.run().unwrap();
    }

    fn the_wall_clock_of_a_node_can_be_wrong_and_its_timers_are_not() {
        let sim = Sim::new(1);
        let node = sim.client("late", async {
            let (rt, hour) = (here(), Duration::from_secs(3_600));
            let main = rt.find_node("main").unwrap().runtime();
            let distance = main.system_time().duration_since(rt.system_time()).unwrap();
            assert_eq!(distance, hour);
            let before = (rt.now(), rt.system_time());
            rt.sleep(hour).await;
            assert!(rt.now() - before.0 >= hour);
            assert!(rt.system_time().duration_since(before.1).unwrap() >= hour);
        });
        node.set_clock_offset(-3_600_000_000_000);
        sim.run().unwrap();
    }
}
