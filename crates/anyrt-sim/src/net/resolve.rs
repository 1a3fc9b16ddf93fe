//! Name resolution: the names of nodes, and `localhost`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyrt_core::Timer;

use crate::rule::Verdict;
use crate::runtime::SimRuntime;

/// The time-out of the resolver.
const PATIENCE: Duration = Duration::from_secs(5);

/// Resolves a name, with the latency of a query to a name server.
pub(super) async fn resolve(rt: &SimRuntime, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    rt.world().net().alive()?;
    let micros = rt.world().net().random.within(100..=2_000);
    rt.sleep(Duration::from_micros(micros)).await;
    match rt.world().judge_lookup(rt.node_state(), host) {
        Verdict::Drop => {
            rt.sleep(PATIENCE).await;
            return Err(io::Error::other(format!(
                "failed to lookup address information: Temporary failure in name resolution (nobody answers for {host:?})"
            )));
        }
        Verdict::Delay(time) => rt.sleep(time).await,
        Verdict::Pass | Verdict::Duplicate => {}
    }
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]);
    }
    let node = rt.world().nodes().named(host);
    match node {
        Some(node) => Ok(vec![(node.ipv4(), port).into()]),
        None => Err(io::Error::other(format!(
            "failed to lookup address information: Name or service not known (no node is named {host:?}, which the node \
             {:?} asks for)",
            rt.node_state().name()
        ))),
    }
}
