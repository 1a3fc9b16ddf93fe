//! Rules of the test for single messages, and failures of name resolution by them.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::{Net, Timer};
use anyrt_sim::{FailureKind, MessageKind, Sim, SimRuntime, Verdict};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

const SECOND: Duration = Duration::from_secs(1);

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// A simulation with a host that sends back what it gets, by TCP and UDP on port 7.
fn with_echo(seed: u64) -> Sim {
    let sim = Sim::new(seed);
    sim.host("server", || async {
        let rt = here();
        let listener = rt.bind_tcp("0.0.0.0:7").await.unwrap();
        let socket = rt.bind_udp("0.0.0.0:7").await.unwrap();
        let streams = async {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (mut read, mut write) = stream.split();
                let _ = futures_util::io::copy(&mut read, &mut write).await;
                let _ = write.close().await;
            }
        };
        let datagrams = async {
            let mut buf = [0; 64];
            loop {
                let (size, from) = socket.recv_from(&mut buf).await.unwrap();
                socket.send_to(&buf[..size], from).await.unwrap();
            }
        };
        futures_util::future::join(streams, datagrams).await;
    });
    sim
}

/// Sends a text over a connection and receives it.
async fn exchange(text: &str) -> String {
    let mut stream = here().connect_tcp("server:7").await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.close().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

tests! {
    fn a_rule_sees_each_message_with_names_addresses_and_content() {
        let sim = with_echo(1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let rule = sim.rule(move |message| {
            let to_server = message.destination.port() == 7 || message.kind == MessageKind::Lookup;
            let names = if to_server { ("client", "server") } else { ("server", "client") };
            assert_eq!((message.from, message.to), names);
            let text = String::from_utf8(message.payload.to_vec()).unwrap();
            log.lock().unwrap().push((message.kind, to_server, text));
            Verdict::Pass
        });
        sim.client("client", async {
            here().sleep(SECOND).await;
            assert_eq!(exchange("hello").await, "hello");
        });
        sim.run().unwrap();
        rule.remove();
        let mut seen = seen.lock().unwrap().clone();
        // The seed determines which side ends first.
        seen.sort_by_key(|(_, to_server, _)| !to_server);
        let message = |kind, to_server, text: &str| (kind, to_server, text.to_owned());
        assert_eq!(
            seen,
            [
                message(MessageKind::Lookup, true, "server"),
                message(MessageKind::Connect, true, ""),
                message(MessageKind::Data, true, "hello"),
                message(MessageKind::End, true, ""),
                message(MessageKind::Accepted, false, ""),
                message(MessageKind::Data, false, "hello"),
                message(MessageKind::End, false, ""),
            ]
        );
    }

    fn what_a_rule_loses_is_repeated_by_tcp_and_gone_by_udp() {
        for kind in [MessageKind::Connect, MessageKind::Accepted, MessageKind::Data, MessageKind::End] {
            let sim = with_echo(2);
            let mut lost = 0;
            let _rule = sim.rule(move |message| {
                let loses = message.kind == kind && lost < 3;
                lost += u32::from(loses);
                if loses { Verdict::Drop } else { Verdict::Pass }
            });
            sim.client("client", async {
                here().sleep(SECOND).await;
                let start = here().elapsed();
                assert_eq!(exchange("hello").await, "hello");
                // 200 ms, 400 ms, 800 ms.
                assert!(here().elapsed() - start > SECOND, "it was repeated three times");
            });
            sim.run().unwrap();
        }
        let sim = with_echo(2);
        sim.client("client", async {
            let rt = here();
            rt.sleep(SECOND).await;
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            let server = rt.resolve("server".to_owned(), 7).await.unwrap()[0];
            let rule = rt.rule(|message| match message.payload {
                b"two" => Verdict::Drop,
                b"three" => Verdict::Duplicate,
                _ => Verdict::Pass,
            });
            for text in ["one", "two", "three"] {
                socket.send_to(text.as_bytes(), server).await.unwrap();
            }
            let mut seen = Vec::new();
            let mut buf = [0; 64];
            // Doubled there, and each of both on its way back.
            for _ in 0..5 {
                let (size, _) = socket.recv_from(&mut buf).await.unwrap();
                seen.push(String::from_utf8(buf[..size].to_vec()).unwrap());
            }
            seen.sort();
            assert_eq!(seen, ["one", "three", "three", "three", "three"]);
            drop(rule);
            socket.send_to(b"two", server).await.unwrap();
            let (size, _) = socket.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..size], b"two", "the rule is gone");
        });
        sim.run().unwrap();
    }

    fn what_a_rule_delays_comes_later_and_the_first_that_objects_decides() {
        let sim = with_echo(3);
        let _late = sim.rule(|message| match message.kind {
            MessageKind::Data => Verdict::Delay(10 * SECOND),
            _ => Verdict::Pass,
        });
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let _never = sim.rule(move |message| {
            *count.lock().unwrap() += u32::from(message.kind == MessageKind::Data);
            Verdict::Pass
        });
        sim.client("client", async {
            let rt = here();
            rt.sleep(SECOND).await;
            let start = rt.elapsed();
            assert_eq!(exchange("hello").await, "hello");
            let took = rt.elapsed() - start;
            assert!(took > 20 * SECOND && took < 21 * SECOND, "once in each direction, not {took:?}");
        });
        sim.run().unwrap();
        assert_eq!(*asked.lock().unwrap(), 0);
    }

    fn a_name_may_be_answered_late_or_not_at_all() {
        let sim = with_echo(4);
        sim.client("client", async {
            let rt = here();
            rt.sleep(SECOND).await;
            for (verdict, least) in [(Verdict::Delay(3 * SECOND), 3), (Verdict::Drop, 5)] {
                let rule = rt.rule(move |message| match (message.kind, message.to) {
                    (MessageKind::Lookup, "server") => verdict,
                    _ => Verdict::Pass,
                });
                let start = rt.elapsed();
                let found = rt.connect_tcp("server:7").await;
                assert!(rt.elapsed() - start > least * SECOND);
                match verdict {
                    Verdict::Drop => {
                        let error = found.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Other);
                        assert!(error.to_string().contains("Temporary failure in name resolution"));
                    }
                    _ => drop(found.unwrap()),
                }
                drop(rule);
            }
            rt.connect_tcp("server:7").await.unwrap();
        });
        sim.run().unwrap();
    }

    fn a_rule_may_use_the_simulation_and_replays() {
        let hash = |seed| {
            let sim = with_echo(seed);
            sim.client("client", async {
                let rt = here();
                rt.sleep(SECOND).await;
                let other = rt.clone();
                let server = rt.find_node("server").unwrap();
                let _rule = rt.rule(move |message| {
                    if message.payload == b"x" {
                        server.crash();
                    }
                    // Resets are not retransmitted.
                    if matches!(message.kind, MessageKind::Lookup | MessageKind::Reset) {
                        return Verdict::Pass;
                    }
                    match other.random() % 3 {
                        0 => Verdict::Drop,
                        1 => Verdict::Delay(Duration::from_millis(other.random() % 10)),
                        _ => Verdict::Pass,
                    }
                });
                assert_eq!(exchange("hello").await, "hello");
                let mut stream = rt.connect_tcp("server:7").await.unwrap();
                let ends = async {
                    stream.write_all(b"x").await?;
                    stream.read_exact(&mut [0]).await
                };
                assert!(ends.await.is_err(), "the server has crashed");
            });
            sim.run().unwrap();
            sim.hash()
        };
        let hashes: Vec<_> = (0..20).map(hash).collect();
        assert_eq!(hashes, (0..20).map(hash).collect::<Vec<_>>());
    }

    fn a_rule_that_panics_is_a_failure() {
        let sim = with_echo(5);
        let _rule = sim.rule(|message| panic!("unexpected {:?}", message.kind));
        sim.client("client", async {
            here().sleep(SECOND).await;
            exchange("hello").await;
        });
        let failure = sim.run().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Panic);
        let text = failure.to_string();
        assert!(text.contains("a rule panicked at crates/anyrt-sim/tests/sim/rules.rs"), "{text}");
    }
}
