//! An execution as a trace that other tools open.

use std::time::Duration;

use anyrt_core::{Blocking, Timer};
use anyrt_sim::{Sim, SimRuntime};
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

    fn without_a_record_the_trace_has_names_only() {
        assert!(trace(false).iter().all(|event| event["ph"] == "M"));
    }
}
