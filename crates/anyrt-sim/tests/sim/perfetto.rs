//! An execution as a trace that other tools open.

use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::{Blocking, Net, Spawner, Timer};
use anyrt_sim::{Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;

use crate::watchdog::tests;

fn trace(record: bool) -> Vec<Value> {
    let mut builder = Sim::builder().seed(1);
    if record {
        builder = builder.record();
    }
    let sim = builder.build().unwrap();
    let node = sim.host("a \"quoted\"\nname", std::future::pending::<()>);
    sim.client("client", async move {
        let rt = SimRuntime::try_current().unwrap();
        rt.sleep(Duration::from_millis(3)).await;
        rt.spawn_blocking(|| ()).await.unwrap();
        node.pause();
        node.resume();
        node.signal(28);
        drop(rt.partition(&[&rt.node()], &[&node]));
        let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
        let connected = node.runtime().spawn(async move {
            let rt = SimRuntime::try_current().unwrap();
            let mut stream = rt.connect_tcp("client:80").await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            let client = rt.find_node("client").unwrap();
            socket.send_to(b"hi", client.address(80)).await.unwrap();
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
        connected.await.unwrap();
        rt.sleep(Duration::from_millis(3)).await;
        node.crash();
        rt.random();
    });
    sim.run().unwrap();
    let mut text = Vec::new();
    sim.write_trace(&mut text).unwrap();
    let trace: Value = serde_json::from_slice(&text).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

tests! {
    fn a_trace_is_json_and_names_nodes_and_tasks() {
        let events = trace(true);
        let names = |kind: &str| -> Vec<_> {
            let of_kind = events.iter().filter(|event| event["name"] == *kind);
            of_kind.map(|event| event["args"]["name"].as_str().unwrap()).collect()
        };
        assert_eq!(
            names("process_name"),
            ["simulation", "node main", "node a \"quoted\"\nname", "node client"]
        );
        assert!(names("thread_name").iter().any(|name| name.contains("perfetto.rs")));
        let happened: Vec<_> = events.iter().filter(|event| event["ph"] != "M").collect();
        for name in [
            "poll", "job", "spawned", "1 timers", "is paused", "goes on", "signal 28",
            "partition begins", "partition heals", "ends", "random number",
        ] {
            assert!(happened.iter().any(|event| event["name"] == name), "{name} is missing");
        }
        let times: Vec<_> = happened.iter().map(|event| event["ts"].as_f64().unwrap()).collect();
        assert!(times.is_sorted());
        assert!(times.last().unwrap() > &3_000.0, "microseconds");
    }

    fn messages_and_faults_are_told_at_their_nodes() {
        let events = trace(true);
        let at = |process: u64| -> Vec<_> {
            let of_process = events.iter().filter(|event| event["pid"] == process);
            let names = of_process.map(|event| event["name"].as_str().unwrap());
            names.filter(|name| name.starts_with("message") || name.starts_with("fault")).collect()
        };
        // Process 1 is the node `main`.
        let (host, client) = (at(2), at(3));
        assert!(host.contains(&"message from client: connection accepted"), "{host:?}");
        assert!(host.iter().any(|name| name.starts_with("fault t1: a pause of a")), "{host:?}");
        let from_host = |what: &str| {
            client.iter().any(|name| name.starts_with("message from a ") && name.ends_with(what))
        };
        for what in [": connection asked for", ": 5 bytes", ": end of data", ": datagram of 2 bytes"] {
            assert!(from_host(what), "{what:?} is not in {client:?}");
        }
    }

    fn without_a_record_the_trace_has_names_only() {
        assert!(trace(false).iter().all(|event| event["ph"] == "M"));
    }
}
