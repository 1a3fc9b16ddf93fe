//! The service of the example `switch`, with clients on nodes of their own and a network that fails.

use std::io;
use std::time::Duration;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::TcpStream;
use anyrt::sim::{Chaos, Latency, Link, Trouble, current};
use anyrt::time::{sleep, timeout};

#[allow(unreachable_pub, reason = "a file of a program")]
#[path = "../../../../examples/switch/service.rs"]
mod service;

use service::{GET, HASH, MISSING, OK, PUT, Service, fnv1a};

struct Client(TcpStream);

impl Client {
    async fn connect() -> io::Result<Self> {
        TcpStream::connect("server:80").await.map(Self)
    }

    async fn ask(&mut self, operation: u8, key: u64, payload: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        let mut frame = (9 + payload.len() as u32).to_be_bytes().to_vec();
        frame.push(operation);
        frame.extend(key.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await?;
        let length = self.0.read_u32().await?;
        let status = self.0.read_u8().await?;
        let mut reply = vec![0; length as usize - 1];
        self.0.read_exact(&mut reply).await?;
        Ok((status, reply))
    }
}

/// All requests of a client, which nobody else disturbs: each has its own keys.
async fn use_service(client: u64) -> io::Result<()> {
    let mut connection = Client::connect().await?;
    for round in 0..5 {
        let (key, payload) = (client * 100 + round, vec![round as u8; 3_000]);
        let hash = fnv1a(&payload).to_be_bytes().to_vec();
        // What an earlier attempt has put is the same.
        let before = connection.ask(GET, key, b"").await?;
        assert!(before == (MISSING, Vec::new()) || before == (OK, payload.clone()));
        assert_eq!(connection.ask(PUT, key, &payload).await?, (OK, Vec::new()));
        assert_eq!(connection.ask(GET, key, b"").await?, (OK, payload));
        assert_eq!(connection.ask(HASH, key, b"").await?, (OK, hash));
    }
    Ok(())
}

#[anyrt::test(sim, seeds = 50)]
async fn the_service_of_switch_answers_through_a_bad_network() {
    let sim = current();
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_micros(100), Duration::from_millis(10));
    sim.set_link(link);
    // It keeps everything in memory.
    let chaos = Chaos::swarm().without(&[Trouble::Crash, Trouble::PowerOff]);
    sim.chaos(chaos.until(Duration::from_secs(10)));
    let server = sim.host("server", || async {
        let service = Service::start("0.0.0.0:80").await.unwrap();
        assert_eq!(service.local_addr().port(), 80);
        anyrt::signal::ctrl_c().await.unwrap();
        service.stop().await.unwrap();
    });
    for number in 0..3 {
        sim.client(&format!("client-{number}"), async move {
            // The network does not give connections up as soon as a user would.
            let patience = Duration::from_secs(5);
            while !matches!(timeout(patience, use_service(number)).await, Ok(Ok(()))) {
                anyrt::sometimes!(true, "a client begins again");
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    // After all of it, an idle connection does not outlive the service.
    sleep(Duration::from_secs(60)).await;
    let mut idle = Client::connect().await.unwrap();
    assert_eq!(idle.ask(GET, 0, b"").await.unwrap().0, OK);
    server.signal(2);
    idle.0.shutdown().await.unwrap();
    while server.is_up() {
        sleep(Duration::from_millis(10)).await;
    }
}
